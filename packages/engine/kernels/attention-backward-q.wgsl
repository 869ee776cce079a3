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
  let statistic$u = (id.z * shape.heads + head) * shape.T + query$u;
  let ownLse$u = lse[statistic$u];
  // Loaded and stored in loops: written out, a software adapter compiles them longer than all the rest.
  var own: array<vec4f, PER * HS4>;
  var ownDy: array<vec4f, PER * HS4>;
  var deltas: array<f32, PER>;
  for (var i = 0u; i < PER * HS4; i++) {
    let row = base + min(id.x * PER + i / HS4, last);
    let at = (row * shape.heads + head) * HS4 + i % HS4;
    own[i] = vec4f(qkv[row * stride + head * HS4 + i % HS4]) * shape.scale;
    ownDy[i] = vec4f(dy[at]);
    deltas[i / HS4] += dot(ownDy[i], vec4f(y[at]));
  }
  let ownDelta$u = deltas[$u];
  let q$u_$d = own[$uu * HS4 + $du];
  let dy$u_$d = ownDy[$uu * HS4 + $du];
  var dq$u_$d = vec4f();
  LOOP
  own[$uu * HS4 + $du] = dq$u_$d;
  for (var i = 0u; i < PER * HS4; i++) {
    let query = id.x * PER + i / HS4;
    if (query <= last) { dqkv[(base + query) * stride + head * HS4 + i % HS4] = vec4<Stored>(own[i]); }
  }
  if (id.x * PER + $uu <= last) { delta[statistic$u] = ownDelta$u; }
}
