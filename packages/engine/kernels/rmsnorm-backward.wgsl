// Gradients of the fused norm: of its input, the same for the residual and for every partial sum, and of its weight, summed over a block of BLOCK rows.
//   x̂ = x · rstd,  g = dy ∘ gamma,  dx (rows, C) = [dx +] rstd · (g − x̂ · mean(g ∘ x̂)),   x (rows, C) is the forward's residualOut
//   partials (blocks, C) = Σ_{rows of the block} dy ∘ x̂
// With SHARDS dy becomes the sum of itself (K = 1; 0: of nothing) and of what the shards decode to (encode-shard.wgsl), the parts that other peers have.
// A workgroup owns a block. A quad walks over its rows column by column, so that gamma and the sum stay in registers; else each row has LANES invocations.
#if QUADS
enable subgroups;
#end
#if SHARDS
struct Shape { rows: u32, C: u32, accumulate: u32, K: u32, shards: u32 }
@group(0) @binding(1) var<storage, read_write> dy: array<vec4<Stored>>;
@group(0) @binding(7) var<storage, read> shards: array<u32>;
#else
struct Shape { rows: u32, C: u32, accumulate: u32 }
@group(0) @binding(1) var<storage, read> dy: array<vec4<Stored>>;
#end
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(2) var<storage, read> x: array<vec4<Stored>>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<Stored>>;
@group(0) @binding(6) var<storage, read_write> partials: array<vec4f>;
#if BARRIER
var<workgroup> products: array<array<f32, LANES>, BLOCK>;
#end

#if SHARDS
DECODE
// Summed once, and kept where our own part was.
fn gradient(at: u32) -> vec4f {
  var sum = vec4f();
  if (shape.K == 1u) { sum = vec4f(dy[at]); }
  for (var s = 0u; s < shape.shards; s++) { sum += decoded(s, at); }
  let kept = vec4<Stored>(sum);
  dy[at] = kept;
  return vec4f(kept);
}
#else
fn gradient(at: u32) -> vec4f { return vec4f(dy[at]); }
#end

fn add(at: u32, own: vec4f) {
  if (shape.accumulate == 1u) { dx[at] = vec4<Stored>(vec4f(dx[at]) + own); } else { dx[at] = vec4<Stored>(own); }
}

#if QUADS
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let C4 = shape.C / 4u;
  let first = group.x * BLOCK;
  let count = min(BLOCK, shape.rows - first);
  var pulls: array<f32, BLOCK>; // first mean(g ∘ x), of this lane's columns
  for (var i = local.x; i < C4; i += 4u) {
    let weight = gamma[i];
    for (var r = 0u; r < count; r++) {
      let at = (first + r) * C4 + i;
      pulls[r] += dot(gradient(at) * weight, vec4f(x[at]));
    }
  }
  var scales: array<f32, BLOCK>;
  for (var r = 0u; r < count; r++) {
    var product = pulls[r];
    product += quadSwapX(product);
    product += quadSwapY(product);
    let scale = rstd[first + r];
    scales[r] = scale;
    pulls[r] = product * scale * scale / f32(shape.C);
  }
  for (var i = local.x; i < C4; i += 4u) {
    let weight = gamma[i];
    var sum = vec4f();
    for (var r = 0u; r < count; r++) {
      let at = (first + r) * C4 + i;
      let d = vec4f(dy[at]);
      let value = vec4f(x[at]);
      let own = scales[r] * (d * weight - value * pulls[r]);
      sum += d * value * scales[r];
      add(at, own);
    }
    partials[group.x * C4 + i] = sum;
  }
}
#else
@compute @workgroup_size(LANES, BLOCK)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let C4 = shape.C / 4u;
  let row = group.x * BLOCK + local.y;
  let inside = row < shape.rows;
  var product = 0.0;
  if (inside) {
    for (var i = local.x; i < C4; i += LANES) {
      let at = row * C4 + i;
      product += dot(gradient(at) * gamma[i], vec4f(x[at]));
    }
  }
  products[local.y][local.x] = product;
  storageBarrier(); // what others have summed is read below
  workgroupBarrier();
  product = 0.0;
  for (var i = 0u; i < LANES; i++) { product += products[local.y][i]; }
  if (inside) {
    let r = rstd[row];
    let pull = product * r * r / f32(shape.C);
    for (var i = local.x; i < C4; i += LANES) {
      let at = row * C4 + i;
      let own = r * (vec4f(dy[at]) * gamma[i] - vec4f(x[at]) * pull);
      add(at, own);
    }
  }
  for (var i = local.y * LANES + local.x; i < C4; i += LANES * BLOCK) {
    var sum = vec4f();
    for (var other = group.x * BLOCK; other < min((group.x + 1u) * BLOCK, shape.rows); other++) {
      sum += vec4f(dy[other * C4 + i]) * vec4f(x[other * C4 + i]) * rstd[other];
    }
    partials[group.x * C4 + i] = sum;
  }
}
#end
