// What is owed from one offer to the next: owed = β · owed, n vec4.
struct Shape { n: u32, beta: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> owed: array<vec4f>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.n; i += groups.x * GROUP) { owed[i] *= shape.beta; }
}
