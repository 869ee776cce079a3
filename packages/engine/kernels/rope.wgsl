// Rotary positions in place on the q and k heads of qkv (rows, stride): pairs (i, i + HS/2) of a head turn by the angle of their position.
// table (T, HS/2) holds (cos, sin), made on the CPU: WGSL's own sin is only promised near zero. direction −1 undoes it (backward pass).
struct Shape { rows: u32, T: u32, stride: u32, turned: u32, half: u32, direction: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> table: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> qkv: array<f32>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x % shape.half;
  let head = id.x / shape.half;
  if (head >= shape.turned || id.y >= shape.rows) { return; }
  let turn = table[(id.y % shape.T) * shape.half + i];
  let s = turn.y * shape.direction;
  let at = id.y * shape.stride + head * 2u * shape.half + i;
  let x = qkv[at];
  let y = qkv[at + shape.half];
  qkv[at] = x * turn.x - y * s;
  qkv[at + shape.half] = y * turn.x + x * s;
}
