// Ends a step: report = [mean loss, gradient norm]; the losses are zeroed for the next step. One workgroup.
//   mean loss = Σ losses (rows) · lossScale,  norm = √(Σ partials)
#if QUADS
enable subgroups;
#end
struct Shape { rows: u32, partials: u32 }
struct Step { learningRate: f32, beta1: f32, beta2: f32, eps: f32, weightDecay: f32, clipNorm: f32, correction1: f32, correction2: f32, gradScale: f32, validRows: f32, lossScale: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> partials: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> report: array<f32>;
#if BARRIER
var<workgroup> sums: array<vec2f, GROUP>;
#end

@compute @workgroup_size(GROUP)
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = vec2f();
  for (var i = local; i < shape.rows; i += GROUP) {
    sum.x += losses[i];
    losses[i] = 0.0;
  }
  for (var i = local; i < shape.partials; i += GROUP) { sum.y += partials[i]; }
#if QUADS
  sum += quadSwapX(sum);
  sum += quadSwapY(sum);
  if (local != 0u) { return; }
#else
  sums[local] = sum;
  workgroupBarrier();
  if (local != 0u) { return; }
  sum = vec2f();
  for (var i = 0u; i < GROUP; i++) { sum += sums[i]; }
#end
  report[0] = sum.x * step.lossScale;
  report[1] = sqrt(sum.y);
}
