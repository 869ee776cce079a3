// Attention goes on with another rank's keys, all of which the queries see: y and lse are of the blocks before, and then of this one too.
//   queries (B·T, q heads | k heads | v heads), rows first … first + queries − 1 of each sequence;  qkv (B·keys, k heads | v heads), the other rank's
//   y (B·T, heads·HS), lse (B, heads, T): with sum 1 at lse as its maximum, what was attended to so far is one more key, whose value is y
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four queries see the same keys
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32, first: u32, queries: u32, keys: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> queries: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> qkv: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
const NONE = -1e30; // of keys behind the last one

@compute @workgroup_size(GROUP)
#if QUADS
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = lane & 3u;
#else
fn main(@builtin(global_invocation_id) id: vec3u) {
#end
  QUERIES
  // Loaded and stored in loops: written out, a software adapter compiles them longer than all the rest.
  var own: array<vec4f, PER * HS4>;
  var before: array<vec4f, PER * HS4>;
  for (var i = 0u; i < PER * HS4; i++) {
    let row = ownRow + min(id.x * PER + i / HS4, shape.queries - 1u);
    own[i] = vec4f(queries[row * ownStride + head * HS4 + i % HS4]) * shape.scale;
    before[i] = vec4f(y[(row * shape.heads + head) * HS4 + i % HS4]);
  }
  let q$u_$d = own[$uu * HS4 + $du];
  var y$u_$d = before[$uu * HS4 + $du];
  var highest$u = lse[statistic$u];
  var sum$u = 1.0;
  LOOP
  own[$uu * HS4 + $du] = y$u_$d / sum$u;
  for (var i = 0u; i < PER * HS4; i++) {
    let query = id.x * PER + i / HS4;
    if (query < shape.queries) { y[((ownRow + query) * shape.heads + head) * HS4 + i % HS4] = vec4<Stored>(own[i]); }
  }
  if (id.x * PER + $uu < shape.queries) { lse[statistic$u] = highest$u + log(sum$u); }
}
