// What another rank's keys give dq, added to the q part of dqkv (B·T, q heads | k heads | v heads): rows first … first + queries − 1 of each sequence, all of which
// see all rows of qkv (B·keys, k heads | v heads), the other rank's. lse and delta (B, heads, T) are of all that the queries saw.
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four queries see the same keys
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32, first: u32, queries: u32, keys: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> queries: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> qkv: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<Stored>>;
@group(0) @binding(4) var<storage, read> lse: array<f32>;
@group(0) @binding(5) var<storage, read> delta: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<vec4<Stored>>;
const NONE = -1e30; // of keys behind the last one

@compute @workgroup_size(GROUP)
#if QUADS
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = lane & 3u;
#else
fn main(@builtin(global_invocation_id) id: vec3u) {
#end
  QUERIES
  let ownLse$u = lse[statistic$u];
  let ownDelta$u = delta[statistic$u];
  // Loaded and stored in loops: written out, a software adapter compiles them longer than all the rest.
  var own: array<vec4f, PER * HS4>;
  var ownDy: array<vec4f, PER * HS4>;
  for (var i = 0u; i < PER * HS4; i++) {
    let row = ownRow + min(id.x * PER + i / HS4, shape.queries - 1u);
    own[i] = vec4f(queries[row * ownStride + head * HS4 + i % HS4]) * shape.scale;
    ownDy[i] = vec4f(dy[(row * shape.heads + head) * HS4 + i % HS4]);
  }
  let q$u_$d = own[$uu * HS4 + $du];
  let dy$u_$d = ownDy[$uu * HS4 + $du];
  var dq$u_$d = vec4f();
  LOOP
  own[$uu * HS4 + $du] = dq$u_$d;
  for (var i = 0u; i < PER * HS4; i++) {
    let query = id.x * PER + i / HS4;
    let at = (ownRow + query) * ownStride + head * HS4 + i % HS4;
    if (query < shape.queries) { dqkv[at] = vec4<Stored>(vec4f(dqkv[at]) + own[i]); }
  }
}
