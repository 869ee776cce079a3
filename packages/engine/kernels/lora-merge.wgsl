// W = base + scale · B · A for `rows` rows of a matrix, from `first` on: W (all rows, in), base (rows, in), B (all rows, rank), A (rank, in). Of B and A
// only columns and rows [from, to) are this part's. All extents but rows count vec4.
// One invocation owns ROWS x 4 of W. Rows beyond an edge are not stored.
struct Shape { rows: u32, in4: u32, first: u32, rank4: u32, from4: u32, to4: u32, scale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> base: array<vec4f>;
@group(0) @binding(2) var<storage, read> a: array<vec4f>;
@group(0) @binding(3) var<storage, read> b: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> w: array<vec4f>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i4 = id.x;
  let row = id.y * ROWS;
  if (i4 >= shape.in4) { return; }
  var sum$r = vec4f();
  for (var k = shape.from4; k < shape.to4; k++) {
    let a$i = a[(4u * k + $iu) * shape.in4 + i4];
    let b$r = b[(shape.first + min(row + $ru, shape.rows - 1u)) * shape.rank4 + k];
    sum$r += b$r.x * a0 + b$r.y * a1 + b$r.z * a2 + b$r.w * a3;
  }
  if (row + $ru < shape.rows) { w[(shape.first + row + $ru) * shape.in4 + i4] = base[(row + $ru) * shape.in4 + i4] + shape.scale * sum$r; }
}
