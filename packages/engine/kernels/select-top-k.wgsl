// Of each chunk of `values` its k largest magnitudes, in the order of their places; zeros never. One workgroup per chunk.
//   table[c] = (start, length, k, where its own begin among all that may be kept)
//   selection = counts (shape.all) | places in the chunk (shape.kept) | values as bits (shape.kept): a chunk's own begin at its table's fourth
// The threshold is found by halving: the largest t of which at least k magnitudes, as bits, are not below. Of equal ones the first are taken.
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // the quad is the whole workgroup, and what it branches on are its own sums
#end
struct Shape { chunks: u32, first: u32, base: u32, all: u32, kept: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> table: array<vec4u>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> selection: array<u32>;
const INFINITE = 0x7f800000u;
#if BARRIER
var<workgroup> partial: array<vec2u, GROUP>;
var<workgroup> sum: vec2u;
#end

fn magnitude(i: u32) -> u32 { return bitcast<u32>(values[i]) & 0x7fffffffu; }

// The sum over the workgroup.
fn total(own: vec2u, local: u32) -> vec2u {
#if QUADS
  let pair = own + quadSwapX(own);
  return pair + quadSwapY(pair);
#else
  partial[local] = own;
  workgroupBarrier();
  if (local == 0u) {
    var all = vec2u();
    for (var i = 0u; i < GROUP; i++) { all += partial[i]; }
    sum = all;
  }
  return workgroupUniformLoad(&sum);
#end
}

// The sum over those before this one.
fn before(own: vec2u, local: u32) -> vec2u {
  var all = vec2u();
#if QUADS
  let first = quadBroadcast(own, 0u);
  let second = quadBroadcast(own, 1u);
  let third = quadBroadcast(own, 2u);
  if (local > 0u) { all += first; }
  if (local > 1u) { all += second; }
  if (local > 2u) { all += third; }
#else
  partial[local] = own;
  workgroupBarrier();
  for (var i = 0u; i < local; i++) { all += partial[i]; }
  workgroupBarrier();
#end
  return all;
}

fn notBelow(threshold: u32, start: u32, length: u32, local: u32) -> u32 {
  var count = 0u;
  for (var i = local; i < length; i += GROUP) { count += select(0u, 1u, magnitude(start + i) >= threshold); }
  return total(vec2u(count, 0u), local).x;
}

@compute @workgroup_size(GROUP)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var c = group.x; c < shape.chunks; c += groups.x) {
    let chunk = table[shape.first + c];
    let start = chunk.x - shape.base;
    let length = chunk.y;
    let k = chunk.z;
    var low = 1u;
    var high = INFINITE;
    var count = notBelow(low, start, length, local);
    while (count > k && high - low > 1u) {
      let middle = low + (high - low) / 2u;
      let n = notBelow(middle, start, length, local);
      if (n >= k) {
        low = middle;
        count = n;
      } else {
        high = middle;
      }
    }
    let part = (length + GROUP - 1u) / GROUP;
    let begin = min(local * part, length);
    let end = min(begin + part, length);
    var own = vec2u();
    for (var i = begin; i < end; i++) {
      let m = magnitude(start + i);
      own += vec2u(select(0u, 1u, m > low), select(0u, 1u, m == low));
    }
    let above = total(own, local).x;
    var at = before(own, local);
    let kept = min(count, k);
    let ties = kept - above;
    for (var i = begin; i < end; i++) {
      let m = magnitude(start + i);
      if (m > low || (m == low && at.y < ties)) {
        let place = chunk.w + at.x + min(at.y, ties);
        selection[shape.all + place] = i;
        selection[shape.all + shape.kept + place] = bitcast<u32>(values[start + i]);
      }
      at += vec2u(select(0u, 1u, m > low), select(0u, 1u, m == low));
    }
    if (local == 0u) { selection[shape.first + c] = kept; }
  }
}
