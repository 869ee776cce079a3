// Attention backward, second kernel: dk and dv. One invocation owns PER keys of one key head and walks over the later queries of its group's
// heads, four at a time.
//   p = exp(s − lse);  dv = Σ p dy;  ds = p ∘ (dy·v − delta);  dk = scale · Σ ds q
// Writes the k and v parts of dqkv (B·T, stride), k still rotated.
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four keys walk over the same queries
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4<Stored>>;
const NONE = -1e30; // a masked exponent: what lies before the key may be too large for exp

@compute @workgroup_size(GROUP)
#if QUADS
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = lane & 3u;
#else
fn main(@builtin(global_invocation_id) id: vec3u) {
#end
  let last = shape.T - 1u;
  let first = (id.x & ~3u) * PER; // the lowest key of the quad
  if (first > last) { return; }
  let base = id.z * shape.T;
  let group = shape.heads / shape.kvHeads;
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let key$u = min(id.x * PER + $uu, last);
  let kAt = (shape.heads + id.y) * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  // Loaded and stored in loops: written out, a software adapter compiles them longer than all the rest.
  var ownK: array<vec4f, PER * HS4>;
  var ownV: array<vec4f, PER * HS4>;
  for (var i = 0u; i < PER * HS4; i++) {
    let at = (base + min(id.x * PER + i / HS4, last)) * stride + i % HS4;
    ownK[i] = vec4f(qkv[at + kAt]) * shape.scale;
    ownV[i] = vec4f(qkv[at + vAt]);
  }
  let k$u_$d = ownK[$uu * HS4 + $du];
  let v$u_$d = ownV[$uu * HS4 + $du];
  var dk$u_$d = vec4f();
  var dv$u_$d = vec4f();
  LOOP
  ownK[$uu * HS4 + $du] = dk$u_$d;
  ownV[$uu * HS4 + $du] = dv$u_$d;
  for (var i = 0u; i < PER * HS4; i++) {
    let key = id.x * PER + i / HS4;
    let at = (base + key) * stride + i % HS4;
    if (key <= last) { dqkv[at + kAt] = vec4<Stored>(ownK[i]); }
    if (key <= last) { dqkv[at + vAt] = vec4<Stored>(ownV[i]); }
  }
}
