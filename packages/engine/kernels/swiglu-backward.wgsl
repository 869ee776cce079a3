// gateUp (rows, 2F) becomes its own gradient, from dh (rows, F): silu'(x) = σ(x) · (1 + x · (1 − σ(x))).
const OVERFLOW = vec4f(80.0); // exp of more is infinite, which WGSL lets a compiler assume away
struct Shape { rows: u32, F: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> dh: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> gateUp: array<vec4<Stored>>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let F4 = shape.F / 4u;
  if (id.x >= F4) { return; }
  for (var row = id.y * EACH; row < min((id.y + 1u) * EACH, shape.rows); row++) {
    let at = row * 2u * F4 + id.x;
    let gate = vec4f(gateUp[at]);
    let up = vec4f(gateUp[at + F4]);
    let d = vec4f(dh[row * F4 + id.x]);
    let sigma = 1.0 / (1.0 + exp(min(-gate, OVERFLOW)));
    gateUp[at] = vec4<Stored>(d * up * sigma * (1.0 + gate * (1.0 - sigma)));
    gateUp[at + F4] = vec4<Stored>(d * gate * sigma);
  }
}
