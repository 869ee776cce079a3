// Attention backward, first kernel: dq, with the probabilities recomputed from lse. One invocation owns PER queries of one head.
//   delta = Σ dy ∘ y (kept for the second kernel);  p = exp(s − lse);  ds = p ∘ (dy·v − delta);  dq = scale · Σ_keys ds k
// Writes the q part of dqkv (B·T, stride), still rotated, and delta (B, heads, T).
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four queries leave the loop together
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<Stored>>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4<Stored>>;
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
  let first = (id.x & ~3u) * PER; // the lowest query of the quad
  if (first > last) { return; }
  let end = min(first + 4u * PER - 1u, last); // the highest one
  let head = id.y;
  let base = id.z * shape.T;
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let kAt = (shape.heads + head * shape.kvHeads / shape.heads) * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  let query$u = min(id.x * PER + $uu, last);
  let qAt$u = (base + query$u) * stride + head * HS4;
  let yAt$u = ((base + query$u) * shape.heads + head) * HS4;
  let statistic$u = (id.z * shape.heads + head) * shape.T + query$u;
  let ownLse$u = lse[statistic$u];
  let q$u_$d = vec4f(qkv[qAt$u + $du]) * shape.scale;
  let dy$u_$d = vec4f(dy[yAt$u + $du]);
  var dq$u_$d = vec4f();
  var ownDelta$u = 0.0;
  ownDelta$u += dot(dy$u_$d, vec4f(y[yAt$u + $du]));
  for (var key = 0u; key <= end; key += 4u) {
    var s$u_$i = 0.0;
    var dp$u_$i = 0.0;
#if QUADS
    let row = (base + min(key + mine, last)) * stride;
    let kRow$d = vec4f(qkv[row + kAt + $du]);
    let vRow$d = vec4f(qkv[row + vAt + $du]);
    let k$d_$i = quadBroadcast(kRow$d, $iu);
    let v$d_$i = quadBroadcast(vRow$d, $iu);
#else
    let row$i = (base + min(key + $iu, last)) * stride;
    let k$d_$i = vec4f(qkv[row$i + kAt + $du]);
    let v$d_$i = vec4f(qkv[row$i + vAt + $du]);
#end
    s$u_$i += dot(q$u_$d, k$d_$i);
    dp$u_$i += dot(dy$u_$d, v$d_$i);
    let masked$u = vec4u(key) + vec4u(0u, 1u, 2u, 3u) > vec4u(query$u);
    let p$u = exp(select(vec4f(s$u_0, s$u_1, s$u_2, s$u_3) - ownLse$u, vec4f(NONE), masked$u));
    let ds$u = p$u * (vec4f(dp$u_0, dp$u_1, dp$u_2, dp$u_3) - ownDelta$u) * shape.scale;
    dq$u_$d += ds$u[$i] * k$d_$i;
  }
  if (id.x * PER + $uu <= last) { dqkv[qAt$u + $du] = vec4<Stored>(dq$u_$d); }
  if (id.x * PER + $uu <= last) { delta[statistic$u] = ownDelta$u; }
}
