// What an offer with error feedback encodes: own = owed + (mark − own), n vec4. What is not a finite number leaves the number of its block of 256
// + 1 in `diverged`, counted from firstBlock; seen as in encode-int8.wgsl.
struct Shape { n: u32, firstBlock: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> mark: array<vec4f>;
@group(0) @binding(2) var<storage, read> owed: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> own: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> diverged: array<atomic<u32>>;
const MAGNITUDE = vec4u(0x7fffffffu);
const LARGEST = vec4u(0x7f7fc99eu); // 3.4e38

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.n; i += groups.x * GROUP) {
    let given = own[i];
    let encoded = owed[i] + (mark[i] - given);
    let worst = max(bitcast<vec4u>(given) & MAGNITUDE, bitcast<vec4u>(encoded) & MAGNITUDE);
    if (any(worst > LARGEST)) { atomicMax(&diverged[0], shape.firstBlock + i / 64u + 1u); }
    own[i] = encoded;
  }
}
