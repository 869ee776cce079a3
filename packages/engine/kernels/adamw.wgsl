// AdamW over n vec4 of the flat vectors, all tensors at once; the gradient is clipped by its global norm and zeroed for the next step.
// A step that report.wgsl has skipped only zeroes.
//   m = β1 m + (1 − β1) g,  v = β2 v + (1 − β2) g²,  p −= lr · (m̂ / (√v̂ + eps) + wd · p),  m̂ = m · correction1, v̂ = v · correction2
// Weight decay applies to the first `decayed` vec4: the matrices.
struct Shape { n: u32, decayed: u32 }
struct Step { learningRate: f32, beta1: f32, beta2: f32, eps: f32, weightDecay: f32, clipNorm: f32, correction1: f32, correction2: f32, perToken: f32, validRows: f32, updates: f32 }
struct Report { loss: f32, norm: f32, unscale: f32, skipped: f32, correction1: f32, correction2: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> report: Report;
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> gradient: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> momentum: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> variance: array<vec4f>;

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let clip = min(1.0, step.clipNorm / max(report.norm, 1e-30)) * report.unscale;
  for (var i = id.x; i < shape.n; i += groups.x * GROUP) {
    let g = gradient[i] * clip;
    gradient[i] = vec4f();
    if (report.skipped > 0.0) { continue; }
    let m = step.beta1 * momentum[i] + (1.0 - step.beta1) * g;
    let v = step.beta2 * variance[i] + (1.0 - step.beta2) * g * g;
    let p = parameters[i];
    let decay = select(0.0, step.weightDecay, i < shape.decayed);
    parameters[i] = p - step.learningRate * (m * report.correction1 / (sqrt(v * report.correction2) + step.eps) + decay * p);
    momentum[i] = m;
    variance[i] = v;
  }
}
