// Of each chunk of `values` its k largest magnitudes, in the order of their places; zeros never. One workgroup per chunk.
//   table[c] = (start, length, k, where its own begin among all that may be kept)
//   selection = counts (shape.all) | places in the chunk (shape.kept) | values as bits (shape.kept): a chunk's own begin at its table's fourth
// The threshold is the largest t of which at least k magnitudes, as bits, are not below: found four at a time, each pass leaves a fifth of the range.
// Of equal ones the first are taken.
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
var<workgroup> partial: array<vec4u, GROUP>;
var<workgroup> sum: vec4u;
#end

fn magnitude(i: u32) -> u32 { return bitcast<u32>(values[i]) & 0x7fffffffu; }

// The sum over the workgroup.
fn total(own: vec4u, local: u32) -> vec4u {
#if QUADS
  let pair = own + quadSwapX(own);
  return pair + quadSwapY(pair);
#else
  partial[local] = own;
  workgroupBarrier();
  if (local == 0u) {
    var all = vec4u();
    for (var i = 0u; i < GROUP; i++) { all += partial[i]; }
    sum = all;
  }
  return workgroupUniformLoad(&sum);
#end
}

// The sum over those before this one.
fn before(own: vec4u, local: u32) -> vec4u {
  var all = vec4u();
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

fn notBelow(thresholds: vec4u, start: u32, length: u32, local: u32) -> vec4u {
  var count = vec4u();
  for (var i = local; i < length; i += GROUP) {
    count += select(vec4u(), vec4u(1u), vec4u(magnitude(start + i)) >= thresholds);
  }
  return total(count, local);
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
    var count = notBelow(vec4u(low), start, length, local).x;
    while (count > k && high - low > 1u) {
      let step = max((high - low) / 5u, 1u);
      let thresholds = low + step * vec4u(1u, 2u, 3u, 4u);
      let n = notBelow(thresholds, start, length, local);
      for (var i = 0u; i < 4u; i++) {
        if (thresholds[i] >= high) { break; }
        if (n[i] < k) {
          high = thresholds[i];
          break;
        }
        low = thresholds[i];
        count = n[i];
      }
    }
    let part = (length + GROUP - 1u) / GROUP;
    let begin = min(local * part, length);
    let end = min(begin + part, length);
    var own = vec4u();
    for (var i = begin; i < end; i++) {
      let m = magnitude(start + i);
      own += select(vec4u(), vec4u(1u, 0u, 0u, 0u), m > low) + select(vec4u(), vec4u(0u, 1u, 0u, 0u), m == low);
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
      at += select(vec4u(), vec4u(1u, 0u, 0u, 0u), m > low) + select(vec4u(), vec4u(0u, 1u, 0u, 0u), m == low);
    }
    if (local == 0u) { selection[shape.first + c] = kept; }
  }
}
