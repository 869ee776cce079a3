// Fused sum, residual and RMSNorm. A quad walks over ROWS rows column by column; else a row is shared by LANES invocations.
//   residualOut (rows, C) = residual + Σ_k partials[k], partials (K, rows, C), summed in the order of k
//   with SHARDS also + Σ_s of what shards[s] decodes to (encode-shard.wgsl), as it came from other peers: decoded here and nowhere else
//   y (rows, C) = residualOut · rstd · gamma,   rstd (rows) = 1 / √(mean(residualOut²) + eps), kept for the backward pass
#if QUADS
enable subgroups;
#end
#if SHARDS
struct Shape { rows: u32, C: u32, K: u32, eps: f32, shards: u32 }
@group(0) @binding(7) var<storage, read> shards: array<u32>;
#else
struct Shape { rows: u32, C: u32, K: u32, eps: f32 }
#end
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> partials: array<vec4<Stored>>;
@group(0) @binding(2) var<storage, read> residual: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> residualOut: array<vec4<Stored>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<Stored>>;
@group(0) @binding(6) var<storage, read_write> rstd: array<f32>;
#if BARRIER
var<workgroup> squares: array<array<f32, LANES>, ROWS>;
#end

#if SHARDS
DECODE
#end
// residualOut at that place, row · C4 + column: as it is stored, so that a norm of what was kept has the same bits.
fn summed(at: u32) -> vec4f {
  var sum = vec4f(residual[at]);
  for (var k = 0u; k < shape.K; k++) { sum += vec4f(partials[k * shape.rows * (shape.C / 4u) + at]); }
#if SHARDS
  for (var s = 0u; s < shape.shards; s++) { sum += decoded(s, at); }
#end
  let kept = vec4<Stored>(sum);
  residualOut[at] = kept;
  return vec4f(kept);
}

#if QUADS
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let C4 = shape.C / 4u;
  let first = group.x * ROWS;
  let count = min(ROWS, shape.rows - first);
  var scales: array<f32, ROWS>; // first Σ x², of this lane's columns
  for (var i = local.x; i < C4; i += 4u) {
    for (var r = 0u; r < count; r++) {
      let sum = summed((first + r) * C4 + i);
      scales[r] += dot(sum, sum);
    }
  }
  for (var r = 0u; r < count; r++) {
    var square = scales[r];
    square += quadSwapX(square);
    square += quadSwapY(square);
    let scale = inverseSqrt(square / f32(shape.C) + shape.eps);
    scales[r] = scale;
    if (local.x == 0u) { rstd[first + r] = scale; }
  }
  for (var i = local.x; i < C4; i += 4u) {
    let weight = gamma[i];
    for (var r = 0u; r < count; r++) {
      let at = (first + r) * C4 + i;
      y[at] = vec4<Stored>(vec4f(residualOut[at]) * (scales[r] * weight));
    }
  }
}
#else
@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let C4 = shape.C / 4u;
  let row = group.x * ROWS + local.y;
  let inside = row < shape.rows;
  var square = 0.0;
  if (inside) {
    for (var i = local.x; i < C4; i += LANES) {
      let sum = summed(row * C4 + i);
      square += dot(sum, sum);
    }
  }
  squares[local.y][local.x] = square;
  workgroupBarrier();
  square = 0.0;
  for (var i = 0u; i < LANES; i++) { square += squares[local.y][i]; }
  if (!inside) { return; }
  let r = inverseSqrt(square / f32(shape.C) + shape.eps);
  for (var i = local.x; i < C4; i += LANES) {
    let at = row * C4 + i;
    y[at] = vec4<Stored>(vec4f(residualOut[at]) * (r * gamma[i]));
  }
  if (local.x == 0u) { rstd[row] = r; }
}
#end
