// The k and v heads of qkv (rows, stride) side by side in kv (rows, width), to be sent. Widths count vec4; an invocation takes one of EACH rows.
struct Shape { rows: u32, stride4: u32, width4: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> qkv: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read_write> kv: array<vec4<Stored>>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= shape.width4) { return; }
  let column = shape.stride4 - shape.width4;
  for (var row = id.y * EACH; row < min((id.y + 1u) * EACH, shape.rows); row++) {
    kv[row * shape.width4 + id.x] = qkv[row * shape.stride4 + column + id.x];
  }
}
