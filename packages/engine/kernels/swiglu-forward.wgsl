// h (rows, F) = silu(gate) ∘ up, gateUp (rows, 2F) = [gate | up].
const OVERFLOW = vec4f(80.0); // exp of more is infinite, which WGSL lets a compiler assume away
struct Shape { rows: u32, F: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> gateUp: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> h: array<vec4<Stored>>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let F4 = shape.F / 4u;
  if (id.x >= F4) { return; }
  for (var row = id.y * EACH; row < min((id.y + 1u) * EACH, shape.rows); row++) {
    let at = row * 2u * F4 + id.x;
    let gate = vec4f(gateUp[at]);
    h[row * F4 + id.x] = vec4<Stored>(gate / (1.0 + exp(min(-gate, OVERFLOW))) * vec4f(gateUp[at + F4]));
  }
}
