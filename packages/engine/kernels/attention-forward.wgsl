// Causal attention with grouped heads; the T x T matrix never exists. One invocation owns 4 queries of one head and walks over the keys
// with a running maximum and sum (online softmax).
//   qkv (B·T, stride) = [q heads | k heads | v heads] of HS4 vec4 each, rotated  ->  y (B·T, heads·HS), lse (B, heads, T) for the backward pass
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
const NONE = -1e30; // a masked score: finite, so that no difference is NaN

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let first = id.x * 4u;
  let head = id.y;
  let base = id.z * shape.T;
  if (first >= shape.T) { return; }
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let kAt = (shape.heads + head * shape.kvHeads / shape.heads) * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  let qRow$j = (base + min(first + $ju, shape.T - 1u)) * stride + head * HS4;
  let q$j_$d = qkv[qRow$j + $du] * shape.scale;
  var y$j_$d = vec4f();
  var highest = vec4f(NONE);
  var sum = vec4f();
  let end = min(first + 4u, shape.T);
  for (var key = 0u; key < end; key++) {
    let row = (base + key) * stride;
    var s = vec4f();
    { let k = qkv[row + kAt + $du]; s += vec4f(dot(q0_$d, k), dot(q1_$d, k), dot(q2_$d, k), dot(q3_$d, k)); }
    s = select(s, vec4f(NONE), vec4u(key) > vec4u(first) + vec4u(0u, 1u, 2u, 3u));
    let higher = max(highest, s);
    let keep = exp(highest - higher);
    let p = exp(s - higher);
    highest = higher;
    sum = sum * keep + p;
    { let v = qkv[row + vAt + $du]; y0_$d = y0_$d * keep.x + p.x * v; y1_$d = y1_$d * keep.y + p.y * v; y2_$d = y2_$d * keep.z + p.z * v; y3_$d = y3_$d * keep.w + p.w * v; }
  }
  let total = highest + log(sum);
  let out = (base + first) * shape.heads * HS4 + head * HS4;
  let lseOut = (id.z * shape.heads + head) * shape.T + first;
  if (first + $ju < shape.T) { y[out + $ju * shape.heads * HS4 + $du] = y$j_$d / sum[$j]; }
  if (first + $ju < shape.T) { lse[lseOut + $ju] = total[$j]; }
}
