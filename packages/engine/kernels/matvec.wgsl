// y (N) = W (N, K) · x (K): a linear layer for one row, where each weight is read once. K and N are multiples of 4.
// A workgroup owns four of y; its LANES share their rows: neighbours read neighbouring vec4. A quad adds up through its lanes.
#if QUADS
enable subgroups;
#end
struct Shape { N: u32, K: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> w: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<Stored>>;
#if BARRIER
var<workgroup> partial: array<vec4f, LANES>;
#end

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let K4 = shape.K / 4u;
  let row = group.x * 4u * K4;
  var sum = vec4f();
  for (var k = local.x; k < K4; k += LANES) {
    let v = vec4f(x[k]);
    let w$i = vec4f(w[row + $iu * K4 + k]);
    sum += vec4f(dot(w0, v), dot(w1, v), dot(w2, v), dot(w3, v));
  }
#if QUADS
  sum += quadSwapX(sum);
  sum += quadSwapY(sum);
  if (local.x == 0u) { y[group.x] = vec4<Stored>(sum); }
#else
  partial[local.x] = sum;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local.x < half) { partial[local.x] += partial[local.x + half]; }
  }
  if (local.x == 0u) { y[group.x] = vec4<Stored>(partial[0]); }
#end
}
