// Cross-entropy of one chunk of rows: logits (rows, V4·4) become their own gradient, in place. A row is shared by LANES invocations.
//   losses[row] += lse − logit[target];  logits = (softmax − onehot) · scaling.scale.  Columns from V on are padding; rows from validRows on count nothing.
#if QUADS
enable subgroups;
#end
struct Shape { rows: u32, V: u32, firstRow: u32 }
struct Step { learningRate: f32, beta1: f32, beta2: f32, eps: f32, weightDecay: f32, clipNorm: f32, correction1: f32, correction2: f32, perToken: f32, validRows: f32, updates: f32 }
struct Scaling { scale: f32, good: u32, skipped: u32, lag: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read_write> logits: array<vec4<Stored>>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read> scaling: Scaling;
const NONE = -1e30;
#if BARRIER
var<workgroup> highests: array<array<f32, LANES>, ROWS>;
var<workgroup> sums: array<array<f32, LANES>, ROWS>;
#end

fn masked(at: u32, column: u32) -> vec4f {
  return select(vec4f(logits[at]), vec4f(NONE), vec4u(column) + vec4u(0u, 1u, 2u, 3u) >= vec4u(shape.V));
}

@compute @workgroup_size(LANES, ROWS)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let V4 = (shape.V + 3u) / 4u;
  let row = group.x * ROWS + local.y;
  let inside = row < shape.rows;
  var highest = vec4f(NONE);
  var sum = vec4f();
  if (inside) {
    for (var i = local.x; i < V4; i += LANES) {
      let x = masked(row * V4 + i, i * 4u);
      let higher = max(highest, x);
      sum = sum * exp(highest - higher) + exp(x - higher);
      highest = higher;
    }
  }
  let own = max(max(highest.x, highest.y), max(highest.z, highest.w));
#if QUADS
  var all = max(own, quadSwapX(own));
  all = max(all, quadSwapY(all));
  var total = dot(sum, exp(highest - all));
  total += quadSwapX(total);
  total += quadSwapY(total);
#else
  highests[local.y][local.x] = own;
  sums[local.y][local.x] = dot(sum, exp(highest - own));
  workgroupBarrier();
  var all = NONE;
  for (var i = 0u; i < LANES; i++) { all = max(all, highests[local.y][i]); }
  var total = 0.0;
  for (var i = 0u; i < LANES; i++) { total += sums[local.y][i] * exp(highests[local.y][i] - all); }
#end
  if (!inside) { return; }
  let lse = all + log(total);
  let valid = shape.firstRow + row < u32(step.validRows);
  let scale = select(0.0, scaling.scale, valid);
  let target4 = targets[row] / 4u;
  let targetLane = targets[row] % 4u;
  for (var i = local.x; i < V4; i += LANES) {
    let x = masked(row * V4 + i, i * 4u);
    let onehot = select(vec4f(), vec4f(1.0), vec4u(targetLane) == vec4u(0u, 1u, 2u, 3u)) * f32(i == target4);
    if (i == target4 && valid) { losses[row] += lse - dot(x, onehot); }
    logits[row * V4 + i] = vec4<Stored>((exp(x - lse) - onehot) * scale);
  }
}
