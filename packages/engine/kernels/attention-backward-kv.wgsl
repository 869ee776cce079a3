// Attention backward, second kernel: dk and dv. One invocation owns 4 keys of one key head and walks over the later queries of its group's heads.
//   p = exp(s − lse);  dv = Σ p dy;  ds = p ∘ (dy·v − delta);  dk = scale · Σ ds q
// Writes the k and v parts of dqkv (B·T, stride), k still rotated.
struct Shape { T: u32, heads: u32, kvHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> lse: array<f32>;
@group(0) @binding(4) var<storage, read> delta: array<f32>;
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4f>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let first = id.x * 4u;
  let base = id.z * shape.T;
  if (first >= shape.T) { return; }
  let group = shape.heads / shape.kvHeads;
  let stride = (shape.heads + 2u * shape.kvHeads) * HS4;
  let kAt = (shape.heads + id.y) * HS4;
  let vAt = kAt + shape.kvHeads * HS4;
  let row$j = (base + min(first + $ju, shape.T - 1u)) * stride;
  let k$j_$d = qkv[row$j + kAt + $du] * shape.scale;
  let v$j_$d = qkv[row$j + vAt + $du];
  var dk$j_$d = vec4f();
  var dv$j_$d = vec4f();
  for (var head = id.y * group; head < (id.y + 1u) * group; head++) {
    let statistics = (id.z * shape.heads + head) * shape.T;
    for (var query = first; query < shape.T; query++) {
      let qAt = (base + query) * stride + head * HS4;
      let dyAt = (base + query) * shape.heads * HS4 + head * HS4;
      var s = vec4f();
      var dp = vec4f();
      let q$d = qkv[qAt + $du];
      let dy$d = dy[dyAt + $du];
      s += vec4f(dot(k0_$d, q$d), dot(k1_$d, q$d), dot(k2_$d, q$d), dot(k3_$d, q$d));
      dp += vec4f(dot(v0_$d, dy$d), dot(v1_$d, dy$d), dot(v2_$d, dy$d), dot(v3_$d, dy$d));
      let p = select(exp(s - lse[statistics + query]), vec4f(), vec4u(query) < vec4u(first) + vec4u(0u, 1u, 2u, 3u));
      let ds = p * (dp - delta[statistics + query]) * shape.scale;
      dv$j_$d += p[$j] * dy$d;
      dk$j_$d += ds[$j] * q$d;
    }
  }
  if (first + $ju < shape.T) { dqkv[row$j + kAt + $du] = dk$j_$d; }
  if (first + $ju < shape.T) { dqkv[row$j + vAt + $du] = dv$j_$d; }
}
