// h (rows, F) = silu(gate) ∘ up, gateUp (rows, 2F) = [gate | up].
const OVERFLOW = vec4f(80.0); // exp of more is infinite, which WGSL lets a compiler assume away
struct Shape { rows: u32, F: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> gateUp: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> h: array<vec4f>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let F4 = shape.F / 4u;
  if (id.x >= F4 || id.y >= shape.rows) { return; }
  let gate = gateUp[id.y * 2u * F4 + id.x];
  let up = gateUp[id.y * 2u * F4 + F4 + id.x];
  h[id.y * F4 + id.x] = gate / (1.0 + exp(min(-gate, OVERFLOW))) * up;
}
