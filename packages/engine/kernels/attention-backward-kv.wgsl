// Attention backward, second kernel: dk and dv. One invocation owns one key of one key head and walks over the later queries of its group's
// heads, four at a time.
//   p = exp(s − lse);  dv = Σ p dy;  ds = p ∘ (dy·v − delta);  dk = scale · Σ ds q
// Writes the k and v parts of dqkv (B·T, stride), k still rotated.
#if QUADS
enable subgroups;
diagnostic(off, subgroup_uniformity); // a quad's four keys walk over the same queries
#end
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;
const NONE = -1e30; // a masked exponent: what lies before the key may be too large for exp

@compute @workgroup_size(GROUP)
#if QUADS
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = lane & 3u;
#else
fn main(@builtin(global_invocation_id) id: vec3u) {
#end
  let last = shape.T - 1u;
  let first = id.x & ~3u; // the lowest key of the quad
  if (first > last) { return; }
  let key = min(id.x, last);
  let base = id.z * shape.T;
  let group = shape.heads / shape.kvHeads;
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let kAt = (base + key) * stride + (shape.heads + id.y) * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  let k$d = qkv[kAt + $du] * shape.scale;
  let v$d = qkv[vAt + $du];
  var dk$d = vec4f();
  var dv$d = vec4f();
  for (var head = id.y * group; head < (id.y + 1u) * group; head++) {
    let statistics = (id.z * shape.heads + head) * shape.T;
    for (var query = first; query <= last; query += 4u) {
      let row$i = min(query + $iu, last);
      let qAt$i = (base + row$i) * stride + head * HS4;
      let dyAt$i = ((base + row$i) * shape.heads + head) * HS4;
      let lses = vec4f(lse[statistics + row0], lse[statistics + row1], lse[statistics + row2], lse[statistics + row3]);
      let deltas = vec4f(delta[statistics + row0], delta[statistics + row1], delta[statistics + row2], delta[statistics + row3]);
      var s$i = 0.0;
      var dp$i = 0.0;
#if QUADS
      let row = base + min(query + mine, last);
      let qRow$d = qkv[row * stride + head * HS4 + $du];
      let dyRow$d = dy[(row * shape.heads + head) * HS4 + $du];
      s$i += dot(k$d, quadBroadcast(qRow$d, $iu));
      dp$i += dot(v$d, quadBroadcast(dyRow$d, $iu));
#else
      s$i += dot(k$d, qkv[qAt$i + $du]);
      dp$i += dot(v$d, dy[dyAt$i + $du]);
#end
      let queries = vec4u(query) + vec4u(0u, 1u, 2u, 3u);
      let seen = (queries >= vec4u(key)) & (queries <= vec4u(last));
      let p = exp(select(vec4f(NONE), vec4f(s0, s1, s2, s3) - lses, seen));
      let ds = p * (vec4f(dp0, dp1, dp2, dp3) - deltas) * shape.scale;
#if QUADS
      dv$d += p[$i] * quadBroadcast(dyRow$d, $iu);
      dk$d += ds[$i] * quadBroadcast(qRow$d, $iu);
#else
      dv$d += p[$i] * dy[dyAt$i + $du];
      dk$d += ds[$i] * qkv[qAt$i + $du];
#end
    }
  }
  if (id.x > last) { return; }
  dqkv[kAt + $du] = dk$d;
  dqkv[vAt + $du] = dv$d;
}
