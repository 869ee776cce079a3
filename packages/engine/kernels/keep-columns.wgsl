// Of rows [first, first + rows) of x (rows in all, width) only columns [from, to) stay; the others become zero. Widths count vec4.
struct Shape { n: u32, first: u32, width4: u32, from4: u32, to4: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> x: array<vec4f>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.n; i += groups.x * GROUP) {
    let column = i % shape.width4;
    if (column < shape.from4 || column >= shape.to4) { x[shape.first * shape.width4 + i] = vec4f(); }
  }
}
