// Attention backward, first kernel: dq, with the probabilities recomputed from lse. One invocation owns 4 queries of one head.
//   delta = Σ dy ∘ y (kept for the second kernel);  p = exp(s − lse);  ds = p ∘ (dy·v − delta);  dq = scale · Σ_keys ds k
// Writes the q part of dqkv (B·T, stride), still rotated, and delta (B, heads, T).
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> y: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let first = id.x * 4u;
  let head = id.y;
  let base = id.z * shape.T;
  if (first >= shape.T) { return; }
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let kAt = (shape.heads + head * shape.kvHeads / shape.heads) * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  let statistics = (id.z * shape.heads + head) * shape.T;
  let at$j = min(first + $ju, shape.T - 1u);
  let qRow$j = (base + at$j) * stride + head * HS4;
  let yRow$j = (base + at$j) * shape.heads * HS4 + head * HS4;
  let q$j_$d = qkv[qRow$j + $du] * shape.scale;
  let dy$j_$d = dy[yRow$j + $du];
  var dq$j_$d = vec4f();
  var ownDelta = vec4f();
  ownDelta[$j] += dot(dy$j_$d, y[yRow$j + $du]);
  let ownLse = vec4f(lse[statistics + at0], lse[statistics + at1], lse[statistics + at2], lse[statistics + at3]);
  let end = min(first + 4u, shape.T);
  for (var key = 0u; key < end; key++) {
    let row = (base + key) * stride;
    var s = vec4f();
    var dp = vec4f();
    let k$d = qkv[row + kAt + $du];
    { let v = qkv[row + vAt + $du]; dp += vec4f(dot(dy0_$d, v), dot(dy1_$d, v), dot(dy2_$d, v), dot(dy3_$d, v)); }
    s += vec4f(dot(q0_$d, k$d), dot(q1_$d, k$d), dot(q2_$d, k$d), dot(q3_$d, k$d));
    let p = select(exp(s - ownLse), vec4f(), vec4u(key) > vec4u(first) + vec4u(0u, 1u, 2u, 3u));
    let ds = p * (dp - ownDelta) * shape.scale;
    dq$j_$d += ds[$j] * k$d;
  }
  if (first + $ju < shape.T) { dqkv[qRow$j + $du] = dq$j_$d; }
  if (first + $ju < shape.T) { delta[statistics + first + $ju] = ownDelta[$j]; }
}
