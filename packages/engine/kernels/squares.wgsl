// Sum of squares, first stage: partials[workgroup] = Σ of its share of x (n vec4).
#if QUADS
enable subgroups;
#end
struct Shape { n: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;
#if BARRIER
var<workgroup> sums: array<f32, GROUP>;
#end

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32,
        @builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var sum = 0.0;
  for (var i = id.x; i < shape.n; i += groups.x * GROUP) { sum += dot(x[i], x[i]); }
#if QUADS
  sum += quadSwapX(sum);
  sum += quadSwapY(sum);
  if (local != 0u) { return; }
#else
  sums[local] = sum;
  workgroupBarrier();
  if (local != 0u) { return; }
  sum = 0.0;
  for (var i = 0u; i < GROUP; i++) { sum += sums[i]; }
#end
  partials[group.x] = sum;
}
