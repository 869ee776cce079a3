// What a peer carries over a seal: mark = own − mark, n vec4. A kernel of its own, so that no compiler reorders anchor + (own − mark).
struct Shape { n: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> own: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> mark: array<vec4f>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.n; i += groups.x * GROUP) { mark[i] = own[i] - mark[i]; }
}
