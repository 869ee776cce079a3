// Gradient of a norm's weight, first of two stages: each invocation sums 4 columns over BLOCK rows.
//   partials (blocks, C) = Σ_{rows of the block} dy ∘ x · rstd
struct Shape { rows: u32, C: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read_write> partials: array<vec4f>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let C4 = shape.C / 4u;
  let first = id.y * BLOCK;
  if (id.x >= C4 || first >= shape.rows) { return; }
  var sum = vec4f();
  for (var row = first; row < min(first + BLOCK, shape.rows); row++) {
    let at = row * C4 + id.x;
    sum += dy[at] * x[at] * rstd[row];
  }
  partials[id.y * C4 + id.x] = sum;
}
