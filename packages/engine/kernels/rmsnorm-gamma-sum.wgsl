// Gradient of the norms' weights, second stage, all norms at once: dgamma (norms, stride) += Σ_blocks partials (norms, blocks, C; a norm's own start is a multiple of partialStride).
struct Shape { norms: u32, blocks: u32, C: u32, stride: u32, partialStride: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> partials: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dgamma: array<vec4f>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let C4 = shape.C / 4u;
  if (id.x >= C4 || id.y >= shape.norms) { return; }
  var sum = vec4f();
  for (var block = 0u; block < shape.blocks; block++) {
    sum += partials[id.y * (shape.partialStride / 4u) + block * C4 + id.x];
  }
  dgamma[id.y * (shape.stride / 4u) + id.x] += sum;
}
