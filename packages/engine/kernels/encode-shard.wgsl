// A partial sum as a peer sends it: int8 in blocks of SHARD_VECTORS vec4 with one scale each; the last block may be shorter.
//   shard = scales (blocks, f32) | codes, four a word;   scale = max |x| of the block / 127,  code = round(x / scale)
// A workgroup takes a block. What is no finite number makes its block's scale no number either, and with it everybody's loss: nobody goes on with it.
#if QUADS
enable subgroups;
#end
struct Shape { vectors: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> shard: array<u32>;
const SMALLEST: f32 = 1.5e-36; // below it a scale would not be a normal number: the block is zero
const MAGNITUDE = vec4u(0x7fffffffu);
#if BARRIER
var<workgroup> most: array<u32, GROUP>;
#end

@compute @workgroup_size(GROUP)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let blocks = (shape.vectors + SHARD_VECTORS - 1u) / SHARD_VECTORS;
  for (var block = group.x; block < blocks; block += groups.x) {
    let end = min(shape.vectors, (block + 1u) * SHARD_VECTORS);
    var worst = 0u; // magnitudes as bits: a NaN is larger than infinity there
    for (var v = block * SHARD_VECTORS + local; v < end; v += GROUP) {
      let m = bitcast<vec4u>(vec4f(x[v])) & MAGNITUDE;
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
    let scale = select(0.0, bitcast<f32>(worst) / 127.0, worst >= bitcast<u32>(SMALLEST));
    if (local == 0u) { shard[block] = bitcast<u32>(scale); }
    for (var v = block * SHARD_VECTORS + local; v < end; v += GROUP) {
      var word = 0u;
      if (scale > 0.0) {
        let code = vec4i(floor(clamp(vec4f(x[v]) / scale, vec4f(-127.0), vec4f(127.0)) + 0.5));
        word = dot(vec4u(code) & vec4u(255u), vec4u(1u, 256u, 65536u, 16777216u));
      }
      shard[blocks + v] = word;
    }
  }
}
