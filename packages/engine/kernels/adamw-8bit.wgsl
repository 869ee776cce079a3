// AdamW as in adamw.wgsl, with both moments kept in 8 bits, in blocks of 32 (n of them) with one scale each: m, and the root of v.
//   a block is 8 words of four codes and a word with the scale, the largest magnitude of the block: code c of TOP stands for scale · 2^((c − TOP) / STEPS), 0 for 0
//   m: 7 bits and a sign, 8 steps an octave;  √v: 8 bits, 16 steps an octave. Both reach 16 octaves down.
// Rounded up or down at random, by how near each is, so that small changes add up instead of being lost; √v is never rounded to 0. Chances are by the place
// in the whole vector (`first` blocks are before these), so that it is the same however the vector is cut.
struct Shape { n: u32, decayed: u32, first: u32 }
struct Step { learningRate: f32, beta1: f32, beta2: f32, eps: f32, weightDecay: f32, clipNorm: f32, correction1: f32, correction2: f32, perToken: f32, validRows: f32, updates: f32 }
struct Report { loss: f32, norm: f32, unscale: f32, skipped: f32, correction1: f32, correction2: f32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> report: Report;
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> gradient: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> momentum: array<u32>;
@group(0) @binding(6) var<storage, read_write> variance: array<u32>;
const WORDS = 9u;
const TOP_M = 127.0;
const TOP_V = 255.0;
const STEPS_M = 8.0;
const STEPS_V = 16.0;
const SHIFTS = vec4u(0u, 8u, 16u, 24u);
const SMALLEST = 1e-30; // a block that is smaller counts as zero: what is divided by it stays finite

fn bytesOf(word: u32) -> vec4u { return (vec4u(word) >> SHIFTS) & vec4u(255u); }
fn wordOf(bytes: vec4u) -> u32 { return dot(bytes, vec4u(1u, 256u, 65536u, 16777216u)); }

fn decoded(code: vec4u, top: f32, steps: f32) -> vec4f {
  return select(exp2((vec4f(code) - top) / steps), vec4f(), code == vec4u());
}

// x from 0 to 1, random from 0 to 1.
fn encoded(x: vec4f, random: vec4f, top: f32, steps: f32) -> vec4u {
  let low = floor(clamp(top + steps * log2(max(x, vec4f(SMALLEST))), vec4f(), vec4f(top)));
  let below = decoded(vec4u(low), top, steps);
  let above = exp2((min(low + 1.0, vec4f(top)) - top) / steps);
  let up = random * max(above - below, vec4f(SMALLEST)) < x - below;
  return vec4u(min(low + vec4f(up), vec4f(top)));
}

// PCG: four random bytes, of which each becomes a number between 0 and 1.
fn randoms(seed: u32) -> vec4f {
  let state = seed * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (vec4f(bytesOf((word >> 22u) ^ word)) + 0.5) / 256.0;
}

fn largest(x: vec4f) -> f32 {
  let most = max(max(x.x, x.y), max(x.z, x.w));
  return select(most, 0.0, most < SMALLEST);
}

@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let clip = min(1.0, step.clipNorm / max(report.norm, 1e-30)) * report.unscale;
  let seed = u32(step.updates) * 2654435769u;
  var m: array<vec4f, 8>;
  var root: array<vec4f, 8>;
  for (var block = id.x; block < shape.n; block += groups.x * GROUP) {
    if (report.skipped > 0.0) {
      for (var i = 0u; i < 8u; i++) { gradient[block * 8u + i] = vec4f(); }
      continue;
    }
    let words = block * WORDS;
    let scaleM = bitcast<f32>(momentum[words + 8u]);
    let scaleV = bitcast<f32>(variance[words + 8u]);
    let decay = select(0.0, step.weightDecay, block < shape.decayed);
    var mostM = vec4f();
    var mostV = vec4f();
    for (var i = 0u; i < 8u; i++) {
      let at = block * 8u + i;
      let g = gradient[at] * clip;
      let codes = bytesOf(momentum[words + i]);
      let size = scaleM * decoded(codes & vec4u(127u), TOP_M, STEPS_M);
      let before = scaleV * decoded(bytesOf(variance[words + i]), TOP_V, STEPS_V);
      let own = step.beta1 * select(size, -size, codes > vec4u(127u)) + (1.0 - step.beta1) * g;
      let v = step.beta2 * before * before + (1.0 - step.beta2) * g * g;
      let p = parameters[at];
      parameters[at] = p - step.learningRate * (own * report.correction1 / (sqrt(v * report.correction2) + step.eps) + decay * p);
      gradient[at] = vec4f();
      m[i] = own;
      root[i] = sqrt(v);
      mostM = max(mostM, abs(own));
      mostV = max(mostV, root[i]);
    }
    let largestM = largest(mostM);
    let largestV = largest(mostV);
    let inverseM = select(1.0 / largestM, 0.0, largestM == 0.0);
    let inverseV = select(1.0 / largestV, 0.0, largestV == 0.0);
    for (var i = 0u; i < 8u; i++) {
      let at = 2u * ((shape.first + block) * 8u + i);
      let sign = select(vec4u(), vec4u(128u), m[i] < vec4f());
      momentum[words + i] = wordOf(sign | encoded(abs(m[i]) * inverseM, randoms(seed + at), TOP_M, STEPS_M));
      let x = root[i] * inverseV;
      let code = encoded(x, randoms(seed + at + 1u), TOP_V, STEPS_V);
      variance[words + i] = wordOf(select(code, max(code, vec4u(1u)), x > vec4f()));
    }
    momentum[words + 8u] = bitcast<u32>(largestM);
    variance[words + 8u] = bitcast<u32>(largestV);
  }
}
