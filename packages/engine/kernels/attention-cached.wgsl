// Attention of a few rows over a cache of keys and values. A workgroup owns one row and one head, and keeps a running maximum and sum (online softmax).
//   place = [start, count]; qkv (rows, stride) = [q heads | …], rotated; cache (T, 2·kvHeads·HS) = [k heads | v heads]
//   y (rows, heads·HS): row r is at position start + r and sees the keys up to its own; rows from count on are left alone
// On a CPU each of four lanes walks over every fourth key, and in the end they add up. Else LANES keys at a time: first a lane has a key and its score, then
// a vec4 of the channels, of every PARTS-th key.
#if QUADS
enable subgroups;
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> place: array<u32>;
@group(0) @binding(2) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(3) var<storage, read> cache: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
const NONE = -1e30; // where there is no key: finite, so that no difference is NaN
#if BARRIER
var<workgroup> scores: array<f32, LANES>;
var<workgroup> sums: array<vec4f, LANES * EACH>;
#end

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let lane = local.x;
  let row = group.x;
  let head = group.y;
  if (row >= place[1]) { return; }
  let keys = min(place[0] + row + 1u, shape.T);
  let q = (row * (shape.heads + 2u * shape.kvHeads) + head) * HS4;
  let width = 2u * shape.kvHeads * HS4;
  let kAt = head * shape.kvHeads / shape.heads * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  let to = (row * shape.heads + head) * HS4;
  var highest = NONE;
  var sum = 0.0;
#if QUADS
  var own: array<vec4f, HS4>;
  for (var key = lane; key < keys; key += LANES) {
    let at = key * width;
    var score = 0.0;
    for (var d = 0u; d < HS4; d++) { score += dot(qkv[q + d], cache[at + kAt + d]); }
    score *= shape.scale;
    let higher = max(highest, score);
    let keep = exp(highest - higher);
    let p = exp(score - higher);
    highest = higher;
    sum = sum * keep + p;
    for (var d = 0u; d < HS4; d++) { own[d] = own[d] * keep + p * cache[at + vAt + d]; }
  }
  var top = max(highest, quadSwapX(highest));
  top = max(top, quadSwapY(top));
  let scale = exp(highest - top);
  sum *= scale;
  sum += quadSwapX(sum);
  sum += quadSwapY(sum);
  for (var d = 0u; d < HS4; d++) {
    var part = own[d] * scale;
    part += quadSwapX(part);
    part += quadSwapY(part);
    if (lane == 0u) { y[to + d] = part / sum; }
  }
#else
  let part = lane / HS4; // PARTS of HS4 lanes each; where a head is wider than the workgroup, one part, and EACH vec4 a lane
  let channel = lane % HS4;
  var own: array<vec4f, EACH>;
  for (var first = 0u; first < keys; first += LANES) {
    let count = min(LANES, keys - first);
    var score = NONE;
    if (lane < count) {
      let at = (first + lane) * width + kAt;
      score = 0.0;
      for (var d = 0u; d < HS4; d++) { score += dot(qkv[q + d], cache[at + d]); }
      score *= shape.scale;
    }
    scores[lane] = score;
    workgroupBarrier();
    let before = highest;
    for (var i = 0u; i < count; i++) { highest = max(highest, scores[i]); }
    let keep = exp(before - highest);
    workgroupBarrier();
    scores[lane] = exp(score - highest);
    workgroupBarrier();
    sum *= keep;
    for (var i = 0u; i < count; i++) { sum += scores[i]; }
    if (part < PARTS) {
      for (var e = 0u; e < EACH; e++) {
        var added = vec4f();
        for (var i = part; i < count; i += PARTS) { added += scores[i] * cache[(first + i) * width + vAt + min(channel + e * LANES, HS4 - 1u)]; }
        own[e] = own[e] * keep + added;
      }
    }
    workgroupBarrier();
  }
  for (var e = 0u; e < EACH; e++) { sums[e * LANES + lane] = own[e]; }
  workgroupBarrier();
  if (part > 0u) { return; }
  for (var e = 0u; e < EACH; e++) {
    var all = vec4f();
    for (var i = 0u; i < PARTS; i++) { all += sums[e * LANES + i * HS4 + channel]; }
    if (channel + e * LANES < HS4) { y[to + channel + e * LANES] = all / sum; }
  }
#end
}
