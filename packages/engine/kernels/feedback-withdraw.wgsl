// An offer that does not count: given (own = the mark before it, owed = what was encoded), owed = what was owed before it and mark = own; own is
// zeroed, n vec4.
struct Shape { n: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> mark: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> owed: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> own: array<vec4f>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.n; i += groups.x * GROUP) {
    owed[i] -= own[i] - mark[i];
    mark[i] = own[i];
    own[i] = vec4f();
  }
}
