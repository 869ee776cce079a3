// Causal attention with grouped heads; the T x T matrix never exists. One invocation owns one query of one head and walks over the keys, four
// at a time, with a running maximum and sum (online softmax).
//   qkv (B·T, stride) = [q heads | k heads | v heads] of HS4 vec4 each, rotated  ->  y (B·T, heads·HS), lse (B, heads, T) for the backward pass
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four queries leave the loop together
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
const NONE = -1e30; // a masked score: finite, so that no difference is NaN

@compute @workgroup_size(GROUP)
#if QUADS
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = lane & 3u;
#else
fn main(@builtin(global_invocation_id) id: vec3u) {
#end
  let last = shape.T - 1u;
  let end = id.x | 3u; // the highest query of the quad
  if (end - 3u > last) { return; }
  let query = min(id.x, last);
  let head = id.y;
  let base = id.z * shape.T;
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let kAt = (shape.heads + head * shape.kvHeads / shape.heads) * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  let qAt = (base + query) * stride + head * HS4;
  let q$d = qkv[qAt + $du] * shape.scale;
  var y$d = vec4f();
  var highest = NONE;
  var sum = 0.0;
  for (var key = 0u; key <= min(end, last); key += 4u) {
    var s$i = 0.0;
#if QUADS
    let row = (base + min(key + mine, last)) * stride;
    let kRow$d = qkv[row + kAt + $du];
    let vRow$d = qkv[row + vAt + $du];
    s$i += dot(q$d, quadBroadcast(kRow$d, $iu));
#else
    let row$i = (base + min(key + $iu, last)) * stride;
    s$i += dot(q$d, qkv[row$i + kAt + $du]);
#end
    let s = select(vec4f(s0, s1, s2, s3), vec4f(NONE), vec4u(key) + vec4u(0u, 1u, 2u, 3u) > vec4u(query));
    let higher = max(highest, max(max(s.x, s.y), max(s.z, s.w)));
    let keep = exp(highest - higher);
    let p = exp(s - higher);
    highest = higher;
    sum = sum * keep + dot(p, vec4f(1.0));
    y$d *= keep;
#if QUADS
    y$d += p[$i] * quadBroadcast(vRow$d, $iu);
#else
    y$d += p[$i] * qkv[row$i + vAt + $du];
#end
  }
  if (id.x > last) { return; }
  y[((base + query) * shape.heads + head) * HS4 + $du] = y$d / sum;
  lse[(id.z * shape.heads + head) * shape.T + query] = highest + log(sum);
}
