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
  let kAt$u = (base + key$u) * stride + (shape.heads + id.y) * HS4;
  let vAt$u = kAt$u + shape.kvHeads * HS4;
  let k$u_$d = vec4f(qkv[kAt$u + $du]) * shape.scale;
  let v$u_$d = vec4f(qkv[vAt$u + $du]);
  var dk$u_$d = vec4f();
  var dv$u_$d = vec4f();
  for (var head = id.y * group; head < (id.y + 1u) * group; head++) {
    let statistics = (id.z * shape.heads + head) * shape.T;
    for (var query = first; query <= last; query += 4u) {
      let row$i = min(query + $iu, last);
      let lses = vec4f(lse[statistics + row0], lse[statistics + row1], lse[statistics + row2], lse[statistics + row3]);
      let deltas = vec4f(delta[statistics + row0], delta[statistics + row1], delta[statistics + row2], delta[statistics + row3]);
      var s$u_$i = 0.0;
      var dp$u_$i = 0.0;
#if QUADS
      let row = base + min(query + mine, last);
      let qRow$d = vec4f(qkv[row * stride + head * HS4 + $du]);
      let dyRow$d = vec4f(dy[(row * shape.heads + head) * HS4 + $du]);
      let q$d_$i = quadBroadcast(qRow$d, $iu);
      let dy$d_$i = quadBroadcast(dyRow$d, $iu);
#else
      let q$d_$i = vec4f(qkv[(base + row$i) * stride + head * HS4 + $du]);
      let dy$d_$i = vec4f(dy[((base + row$i) * shape.heads + head) * HS4 + $du]);
#end
      s$u_$i += dot(k$u_$d, q$d_$i);
      dp$u_$i += dot(v$u_$d, dy$d_$i);
      let queries = vec4u(query) + vec4u(0u, 1u, 2u, 3u);
      let seen$u = (queries >= vec4u(key$u)) & (queries <= vec4u(last));
      let p$u = exp(select(vec4f(NONE), vec4f(s$u_0, s$u_1, s$u_2, s$u_3) - lses, seen$u));
      let ds$u = p$u * (vec4f(dp$u_0, dp$u_1, dp$u_2, dp$u_3) - deltas) * shape.scale;
      dv$u_$d += p$u[$i] * dy$d_$i;
      dk$u_$d += ds$u[$i] * q$d_$i;
    }
  }
  if (id.x * PER + $uu <= last) { dqkv[kAt$u + $du] = vec4<Stored>(dk$u_$d); }
  if (id.x * PER + $uu <= last) { dqkv[vAt$u + $du] = vec4<Stored>(dv$u_$d); }
}
