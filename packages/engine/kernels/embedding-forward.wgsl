// y (rows, C) = weight[ids[row]], weight (V, C).
struct Shape { rows: u32, C: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let C4 = shape.C / 4u;
  if (id.x >= C4) { return; }
  for (var row = id.y * EACH; row < min((id.y + 1u) * EACH, shape.rows); row++) {
    y[row * C4 + id.x] = vec4<Stored>(weight[ids[row] * C4 + id.x]);
  }
}
