// Attention backward, first kernel: dq, with the probabilities recomputed from lse. One invocation owns one query of one head.
//   delta = Σ dy ∘ y (kept for the second kernel);  p = exp(s − lse);  ds = p ∘ (dy·v − delta);  dq = scale · Σ_keys ds k
// Writes the q part of dqkv (B·T, stride), still rotated, and delta (B, heads, T).
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four queries leave the loop together
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> y: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> delta: array<f32>;
const NONE = -1e30; // a masked exponent: what lies after the query may be too large for exp

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
  let yAt = ((base + query) * shape.heads + head) * HS4;
  let statistic = (id.z * shape.heads + head) * shape.T + query;
  let ownLse = lse[statistic];
  let q$d = qkv[qAt + $du] * shape.scale;
  let dy$d = dy[yAt + $du];
  var dq$d = vec4f();
  var ownDelta = 0.0;
  ownDelta += dot(dy$d, y[yAt + $du]);
  for (var key = 0u; key <= min(end, last); key += 4u) {
    var s$i = 0.0;
    var dp$i = 0.0;
#if QUADS
    let row = (base + min(key + mine, last)) * stride;
    let kRow$d = qkv[row + kAt + $du];
    let vRow$d = qkv[row + vAt + $du];
    s$i += dot(q$d, quadBroadcast(kRow$d, $iu));
    dp$i += dot(dy$d, quadBroadcast(vRow$d, $iu));
#else
    let row$i = (base + min(key + $iu, last)) * stride;
    s$i += dot(q$d, qkv[row$i + kAt + $du]);
    dp$i += dot(dy$d, qkv[row$i + vAt + $du]);
#end
    let masked = vec4u(key) + vec4u(0u, 1u, 2u, 3u) > vec4u(query);
    let p = exp(select(vec4f(s0, s1, s2, s3) - ownLse, vec4f(NONE), masked));
    let ds = p * (vec4f(dp0, dp1, dp2, dp3) - ownDelta) * shape.scale;
#if QUADS
    dq$d += ds[$i] * quadBroadcast(kRow$d, $iu);
#else
    dq$d += ds[$i] * qkv[row$i + kAt + $du];
#end
  }
  if (id.x > last) { return; }
  dqkv[qAt + $du] = dq$d;
  delta[statistic] = ownDelta;
}
