// Causal attention with grouped heads; the T x T matrix never exists. One invocation owns PER queries of one head and walks over the keys, four
// at a time, with a running maximum and sum (online softmax).
//   qkv (B·T, stride) = [q heads | k heads | v heads] of HS4 vec4 each, rotated  ->  y (B·T, heads·HS), lse (B, heads, T) for the backward pass
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four queries leave the loop together
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;
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
  let first = (id.x & ~3u) * PER; // the lowest query of the quad
  if (first > last) { return; }
  let end = min(first + 4u * PER - 1u, last); // the highest one
  let head = id.y;
  let base = id.z * shape.T;
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let kAt = (shape.heads + head * shape.kvHeads / shape.heads) * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  let query$u = min(id.x * PER + $uu, last);
  // Loaded and stored in loops: written out, a software adapter compiles them longer than all the rest.
  var own: array<vec4f, PER * HS4>;
  for (var i = 0u; i < PER * HS4; i++) {
    let row = base + min(id.x * PER + i / HS4, last);
    own[i] = vec4f(qkv[row * stride + head * HS4 + i % HS4]) * shape.scale;
  }
  let q$u_$d = own[$uu * HS4 + $du];
  var y$u_$d = vec4f();
  var highest$u = NONE;
  var sum$u = 0.0;
  LOOP
  own[$uu * HS4 + $du] = y$u_$d / sum$u;
  for (var i = 0u; i < PER * HS4; i++) {
    let query = id.x * PER + i / HS4;
    if (query <= last) { y[((base + query) * shape.heads + head) * HS4 + i % HS4] = vec4<Stored>(own[i]); }
  }
  if (id.x * PER + $uu <= last) { lse[(id.z * shape.heads + head) * shape.T + query$u] = highest$u + log(sum$u); }
}
