// What our queries give another rank's keys: dkv (B·keys, k heads | v heads), its own to add to what it has. Rows first … first + queries − 1 of each sequence of
// qkv (B·T, q heads | k heads | v heads) all see all rows of kv (B·keys, k heads | v heads). lse and delta (B, heads, T) are of all that the queries saw.
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four keys are seen by the same queries
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32, first: u32, queries: u32, keys: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> kv: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<Stored>>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dkv: array<vec4<Stored>>;
const NONE = -1e30; // of queries behind the last one

@compute @workgroup_size(GROUP)
#if QUADS
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = lane & 3u;
#else
fn main(@builtin(global_invocation_id) id: vec3u) {
#end
  if ((id.x & ~3u) * PER >= shape.keys) { return; } // the whole quad
  let first = shape.first;
  let last = shape.first + shape.queries - 1u;
  let base = id.z * shape.T;
  let group = shape.heads / shape.kvHeads;
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let key$u = first; // seen from that query on
  let kvRow = id.z * shape.keys;
  let kvStride = 2u * shape.kvHeads * HS4;
  let kAt = id.y * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  // Loaded and stored in loops: written out, a software adapter compiles them longer than all the rest.
  var ownK: array<vec4f, PER * HS4>;
  var ownV: array<vec4f, PER * HS4>;
  for (var i = 0u; i < PER * HS4; i++) {
    let at = (kvRow + min(id.x * PER + i / HS4, shape.keys - 1u)) * kvStride + i % HS4;
    ownK[i] = vec4f(kv[at + kAt]) * shape.scale;
    ownV[i] = vec4f(kv[at + vAt]);
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
    let at = (kvRow + key) * kvStride + i % HS4;
    if (key < shape.keys) { dkv[at + kAt] = vec4<Stored>(ownK[i]); }
    if (key < shape.keys) { dkv[at + vAt] = vec4<Stored>(ownV[i]); }
  }
}
