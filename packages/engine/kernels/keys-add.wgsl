// What another rank's queries gave our keys: dkv (rows, width), the first `keys` rows of each sequence, added to the k and v heads of dqkv (sequences·T, stride).
// Widths count vec4; an invocation takes one of EACH rows.
struct Shape { rows: u32, stride4: u32, width4: u32, keys: u32, T: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> dkv: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> dqkv: array<vec4<Stored>>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.width4) { return; }
  let column = shape.stride4 - shape.width4;
  for (var row = id.y * EACH; row < min((id.y + 1u) * EACH, shape.rows); row++) {
    let at = (row / shape.keys * shape.T + row % shape.keys) * shape.stride4 + column + id.x;
    dqkv[at] = vec4<Stored>(vec4f(dqkv[at]) + vec4f(dkv[row * shape.width4 + id.x]));
  }
}
