// The keys and values of `count` rows of qkv (rows, stride) = [q | k | v] -> rows [start, start + count) of the cache (T, 2·KV) = [k | v].
// place = [start, count]; stride, skip (what is q) and width (k and v) count vec4.
struct Shape { stride: u32, skip: u32, width: u32, T: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> place: array<u32>;
@group(0) @binding(2) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> cache: array<vec4f>;

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let to = place[0] + id.y;
  if (id.x >= shape.width || id.y >= place[1] || to >= shape.T) { return; }
  cache[to * shape.width + id.x] = qkv[id.y * shape.stride + shape.skip + id.x];
}
