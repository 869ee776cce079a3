// Ends a step: what there is to say of it, and what the update needs to know; the losses are zeroed for the next step. One workgroup.
//   loss = Σ losses (rows) · perToken,  norm = √(Σ partials) · unscale,  unscale = perToken / scale · gain: the gradient is a sum over tokens, times the scale; gain: the adapters' alpha / r
// Loss scaling (`scaled`, in mixed precision): gradients in f16 are multiplied by a scale, so that small ones do not vanish. One that is not finite was
// scaled too much: the step is skipped and the scale halved. After GOOD good steps it is doubled. The state stays here: no step waits for the CPU.
//   correction = 1 / (1 − β^t),  t counts the steps since the moments were zeroed that were not skipped
#if QUADS
enable subgroups;
#end
struct Shape { rows: u32, partials: u32, scaled: u32, gain: f32 }
struct Step { learningRate: f32, beta1: f32, beta2: f32, eps: f32, weightDecay: f32, clipNorm: f32, correction1: f32, correction2: f32, perToken: f32, validRows: f32, updates: f32 }
struct Report { loss: f32, norm: f32, unscale: f32, skipped: f32, correction1: f32, correction2: f32 }
struct Scaling { scale: f32, good: u32, skipped: u32, lag: u32 } // skipped: in a row; lag: since the moments were zeroed
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> partials: array<f32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> report: Report;
@group(0) @binding(5) var<storage, read_write> scaling: Scaling;
#if BARRIER
var<workgroup> sums: array<vec2f, GROUP>;
#end

// By its bits: a compiler may assume that no number is anything else.
fn isFinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }

// As the CPU has it, more exactly, as long as none was skipped.
fn correction(exact: f32, beta: f32) -> f32 {
  if (scaling.lag == 0u) { return exact; }
  return 1.0 / (1.0 - pow(max(beta, 1e-30), step.updates - f32(scaling.lag)));
}

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
  let unscale = step.perToken / scaling.scale * shape.gain;
  report.loss = sum.x * step.perToken;
  report.norm = sqrt(sum.y) * unscale;
  report.unscale = unscale;
  report.skipped = 0.0;
  report.correction1 = correction(step.correction1, step.beta1);
  report.correction2 = correction(step.correction2, step.beta2);
  if (shape.scaled == 0u || shape.partials == 0u) { return; }
  if (isFinite(sum.x) && isFinite(sum.y)) {
    scaling.skipped = 0u;
    scaling.good++;
    if (scaling.good < GOOD) { return; }
    scaling.scale = min(scaling.scale * 2.0, f32(SCALE_MAX));
  } else {
    scaling.skipped++;
    scaling.lag++;
    scaling.scale = max(scaling.scale / 2.0, 1.0);
    report.skipped = f32(scaling.skipped);
  }
  scaling.good = 0u;
}
