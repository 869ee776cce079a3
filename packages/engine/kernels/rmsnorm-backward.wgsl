// Gradient of the fused norm's input, the same for the residual and for every partial sum. A row is shared by LANES invocations.
//   x̂ = x · rstd,  g = dy ∘ gamma,  dx (rows, C) = [dx +] rstd · (g − x̂ · mean(g ∘ x̂)),   x (rows, C) is the forward's residualOut
#if QUADS
enable subgroups;
#end
struct Shape { rows: u32, C: u32, accumulate: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4f>;
#if BARRIER
var<workgroup> products: array<array<f32, LANES>, ROWS>;
#end

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let C4 = shape.C / 4u;
  let row = group.x * ROWS + local.y;
  let inside = row < shape.rows;
  var product = 0.0;
  if (inside) {
    for (var i = local.x; i < C4; i += LANES) {
      let at = row * C4 + i;
      product += dot(dy[at] * gamma[i], x[at]);
    }
  }
#if QUADS
  product += quadSwapX(product);
  product += quadSwapY(product);
#else
  products[local.y][local.x] = product;
  workgroupBarrier();
  product = 0.0;
  for (var i = 0u; i < LANES; i++) { product += products[local.y][i]; }
#end
  if (!inside) { return; }
  let r = rstd[row];
  let pull = product * r * r / f32(shape.C);
  for (var i = local.x; i < C4; i += LANES) {
    let at = row * C4 + i;
    let own = r * (dy[at] * gamma[i] - x[at] * pull);
    if (shape.accumulate == 1u) { dx[at] += own; } else { dx[at] = own; }
  }
}
