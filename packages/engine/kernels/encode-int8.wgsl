// A pseudo-gradient (mark − own) in blocks of 256 with one scale each, as the swarm's updates have it: update = scales (blocks) | codes, four a word.
//   scale = max |d| of the block / 127,  code = round(d / scale) in [-127, 127]; a block below SMALLEST is zero: its scale would not be a normal number
// With OWED, of owed + (mark − own). One workgroup per block, all of them whole. A block that holds no finite number, or one that does not decode,
// leaves its own number + 1 in `diverged`, counted from firstBlock. Magnitudes are compared as bits: a NaN is larger than infinity there.
#if QUADS
enable subgroups;
#end
struct Shape { blocks: u32, firstBlock: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> mark: array<vec4f>;
@group(0) @binding(2) var<storage, read> own: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> update: array<u32>;
@group(0) @binding(4) var<storage, read_write> diverged: array<atomic<u32>>;
#if OWED
@group(0) @binding(5) var<storage, read> owed: array<vec4f>;
#end
const MAGNITUDE = vec4u(0x7fffffffu);
const INFINITE = vec4u(0x7f800000u);
const LARGEST: f32 = 3.4e38;
const SMALLEST: f32 = 1.5e-36;
const VECTORS = 64u;
#if BARRIER
var<workgroup> most: array<u32, GROUP>;
#end

fn delta(i: u32) -> vec4f {
#if OWED
  return owed[i] + (mark[i] - own[i]);
#else
  return mark[i] - own[i];
#end
}

// own is looked at too: a compiler may believe that a difference is always a number, and cannot believe it of bits that it reads.
fn magnitudes(i: u32) -> vec4u {
  let given = bitcast<vec4u>(own[i]) & MAGNITUDE;
  return max(bitcast<vec4u>(delta(i)) & MAGNITUDE, select(vec4u(), given, given >= INFINITE));
}

@compute @workgroup_size(GROUP)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var block = group.x; block < shape.blocks; block += groups.x) {
    var worst = 0u;
    for (var v = local; v < VECTORS; v += GROUP) {
      let m = magnitudes(block * VECTORS + v);
      worst = max(worst, max(max(m.x, m.y), max(m.z, m.w)));
    }
#if QUADS
    worst = max(worst, quadSwapX(worst));
    worst = max(worst, quadSwapY(worst));
#else
    workgroupBarrier();
    most[local] = worst;
    workgroupBarrier();
    for (var i = 0u; i < GROUP; i++) { worst = max(worst, most[i]); }
#end
    let isNumber = worst <= bitcast<u32>(LARGEST);
    let scale = select(0.0, bitcast<f32>(worst) / 127.0, isNumber && worst >= bitcast<u32>(SMALLEST));
    if (local == 0u) {
      update[block] = bitcast<u32>(scale);
      if (!isNumber) { atomicMax(&diverged[0], shape.firstBlock + block + 1u); }
    }
    for (var v = local; v < VECTORS; v += GROUP) {
      var word = 0u;
      if (scale > 0.0) {
        let code = vec4i(floor(clamp(delta(block * VECTORS + v) / scale, vec4f(-127.0), vec4f(127.0)) + 0.5));
        word = dot(vec4u(code) & vec4u(255u), vec4u(1u, 256u, 65536u, 16777216u));
      }
      update[shape.blocks + block * VECTORS + v] = word;
    }
  }
}
