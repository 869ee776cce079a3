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
  for (var head = id.y * group; head < (id.y + 1u) * group; head++) {
    let statistics = (id.z * shape.heads + head) * shape.T;
    for (var query = first; query <= last; query += 4u) {
      var s$u_$i = 0.0;
      var dp$u_$i = 0.0;
#if QUADS
      let own = min(query + mine, last);
      let ownLse = lse[statistics + own];
      let ownDelta = delta[statistics + own];
      let lse$i = quadBroadcast(ownLse, $iu);
      let delta$i = quadBroadcast(ownDelta, $iu);
      let row = base + own;
      let qRow$d = vec4f(qkv[row * stride + head * HS4 + $du]);
      let dyRow$d = vec4f(dy[(row * shape.heads + head) * HS4 + $du]);
      let q$d_$i = quadBroadcast(qRow$d, $iu);
      let dy$d_$i = quadBroadcast(dyRow$d, $iu);
#else
      let row$i = min(query + $iu, last);
      let lse$i = lse[statistics + row$i];
      let delta$i = delta[statistics + row$i];
      let q$d_$i = vec4f(qkv[(base + row$i) * stride + head * HS4 + $du]);
      let dy$d_$i = vec4f(dy[((base + row$i) * shape.heads + head) * HS4 + $du]);
#end
      s$u_$i += dot(k$u_$d, q$d_$i);
      dp$u_$i += dot(v$u_$d, dy$d_$i);
      let queries = vec4u(query) + vec4u(0u, 1u, 2u, 3u);
      let seen$u = (queries >= vec4u(key$u)) & (queries <= vec4u(last));
      let p$u = exp(select(vec4f(NONE), vec4f(s$u_0, s$u_1, s$u_2, s$u_3) - vec4f(lse0, lse1, lse2, lse3), seen$u));
      let ds$u = p$u * (vec4f(dp$u_0, dp$u_1, dp$u_2, dp$u_3) - vec4f(delta0, delta1, delta2, delta3)) * shape.scale;
      dv$u_$d += p$u[$i] * dy$d_$i;
      dk$u_$d += ds$u[$i] * q$d_$i;
    }
  }
  ownK[$uu * HS4 + $du] = dk$u_$d;
  ownV[$uu * HS4 + $du] = dv$u_$d;
  for (var i = 0u; i < PER * HS4; i++) {
    let key = id.x * PER + i / HS4;
    let at = (base + key) * stride + i % HS4;
    if (key <= last) { dqkv[at + kAt] = vec4<Stored>(ownK[i]); }
    if (key <= last) { dqkv[at + vAt] = vec4<Stored>(ownV[i]); }
  }
}
