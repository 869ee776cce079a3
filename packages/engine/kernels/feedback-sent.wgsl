// An offer that counts: owed −= what it decodes to, where a selection (select-top-k.wgsl) has its places and, now, the decoded values.
// One workgroup per chunk.
struct Shape { chunks: u32, first: u32, base: u32, all: u32, kept: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> table: array<vec4u>;
@group(0) @binding(2) var<storage, read> selection: array<u32>;
@group(0) @binding(3) var<storage, read_write> owed: array<f32>;

@compute @workgroup_size(GROUP)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var c = group.x; c < shape.chunks; c += groups.x) {
    let chunk = table[shape.first + c];
    let count = selection[shape.first + c];
    for (var n = local; n < count; n += GROUP) {
      let place = shape.all + chunk.w + n;
      owed[chunk.x - shape.base + selection[place]] -= bitcast<f32>(selection[place + shape.kept]);
    }
  }
}
