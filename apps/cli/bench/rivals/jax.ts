// jax-js (@jax-js/jax) as its documentation says is fastest: loss, gradient, clipping and AdamW in one function under jit(), which
// fuses and records it. Arrays are owned: a use consumes one, `.ref` keeps it for another.
import {
  blockUntilReady,
  type Device,
  defaultDevice,
  init,
  type Array as JaxArray,
  jit,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from "@jax-js/jax";
import type { ModelShape } from "#wire";
import { type Contestant, noise } from "./contestant.ts";
import { type BenchShape, type LayerTensors, ropeAngles, STEP, type Tensors, tensorsOf } from "./shapes.ts";

type Weights = Tensors<JaxArray>;

export const jax = (device: Device): Contestant => ({
  async open(shape, { weights, ids }) {
    const devices = await init(device);
    if (!devices.includes(device)) throw new Error(`jax-js has no device "${device}" here`);
    defaultDevice(device);
    const { model, B } = shape;
    const { contextLength: T } = model;
    const rows = (from: 0 | 1): Int32Array<ArrayBuffer> =>
      Int32Array.from({ length: B * T }, (_, i) => ids[Math.floor(i / T) * (T + 1) + (i % T) + from]);
    const inputs = np.array(rows(0), { dtype: np.int32 });
    const targets = np.array(rows(1), { dtype: np.int32 });
    const step = jit(trainStep(shape));
    let state: State = {
      weights: tensorsOf(model, weights, (data, dims) => np.array(data).reshape(dims)),
      m: tensorsOf(model, weights, (_, dims) => np.zeros(dims)),
      v: tensorsOf(model, weights, (_, dims) => np.zeros(dims)),
    };
    let t = 0;
    return {
      async step() {
        t++;
        const corrections = np.array(new Float32Array([1 / (1 - STEP.beta1 ** t), 1 / (1 - STEP.beta2 ** t)]));
        const [loss, next] = step(state, corrections, inputs.ref, targets.ref) as [JaxArray, State];
        state = next;
        await blockUntilReady(state);
        return (await loss.data())[0];
      },
      async matmul({ form, M, N, K }) {
        const a = np.array(noise(M * K)).reshape(form === "tn" ? [K, M] : [M, K]);
        const b = np.array(noise(N * K)).reshape(form === "nt" ? [N, K] : [K, N]);
        const product = jit((x: JaxArray, y: JaxArray) =>
          np.matmul(form === "tn" ? x.transpose() : x, form === "nt" ? y.transpose() : y),
        );
        return {
          async run(times) {
            for (let i = 1; i < times; i++) product(a.ref, b.ref).dispose();
            const last = product(a.ref, b.ref);
            await last.blockUntilReady();
            last.dispose();
          },
          free() {
            a.dispose();
            b.dispose();
            product.dispose();
          },
        };
      },
    };
  },
});

type State = { weights: Weights; m: Weights; v: Weights };

/** (state, [1 / (1 - beta1^t), 1 / (1 - beta2^t)], inputs, targets) -> [loss, state'] */
function trainStep(shape: BenchShape) {
  const { learningRate, beta1, beta2, eps, weightDecay, clipNorm } = STEP;
  return ({ weights, m, v }: State, corrections: JaxArray, inputs: JaxArray, targets: JaxArray): [JaxArray, State] => {
    const [loss, gradients] = valueAndGrad((w: Weights) => lossOf(shape, w, inputs, targets))(tree.ref(weights));
    const squares = (tree.leaves(gradients) as JaxArray[]).map((g) => np.square(g.ref).sum());
    const norm = np.sqrt(squares.reduce((a, b) => a.add(b)));
    const clip = np.minimum(np.divide(clipNorm, norm), 1);
    const m2 = tree.map(
      (old: JaxArray, g: JaxArray) => old.mul(beta1).add(g.mul(clip.ref).mul(1 - beta1)),
      m,
      tree.ref(gradients),
    ) as Weights;
    const v2 = tree.map(
      (old: JaxArray, g: JaxArray) => old.mul(beta2).add(np.square(g.mul(clip.ref)).mul(1 - beta2)),
      v,
      gradients,
    ) as Weights;
    clip.dispose();
    const [c1, c2] = [corrections.ref.slice(0), corrections.slice(1)];
    const updated = tree.map(
      (w: JaxArray, first: JaxArray, second: JaxArray) => {
        const direction = first.mul(c1.ref).div(np.sqrt(second.mul(c2.ref)).add(eps));
        const decay = w.ndim === 2 ? 1 - learningRate * weightDecay : 1;
        return w.mul(decay).sub(direction.mul(learningRate));
      },
      weights,
      tree.ref(m2),
      tree.ref(v2),
    ) as Weights;
    c1.dispose();
    c2.dispose();
    return [loss, { weights: updated, m: m2, v: v2 }];
  };
}

/** Mean cross-entropy, all weights consumed. */
function lossOf({ model, B }: BenchShape, w: Weights, inputs: JaxArray, targets: JaxArray): JaxArray {
  const { cosines, sines } = ropeAngles(model);
  const angles = [model.contextLength, 1, model.dModel / model.heads / 2];
  const cos = np.array(cosines).reshape(angles);
  const sin = np.array(sines).reshape(angles);
  let x = w.embed.ref.slice(inputs);
  for (const layer of w.layers) x = block(model, B, x, layer, cos, sin);
  cos.dispose();
  sin.dispose();
  const logits = np.matmul(rmsnorm(x, w.norm, model.normEps), w.embed.transpose());
  const picked = logits.ref.mul(nn.oneHot(targets, model.vocabSize)).sum(1);
  return nn.logsumexp(logits, 1).sub(picked).mean();
}

function rmsnorm(x: JaxArray, weight: JaxArray, eps: number): JaxArray {
  const scale = np.reciprocal(np.sqrt(np.square(x.ref).mean(-1, { keepdims: true }).add(eps)));
  return x.mul(scale).mul(weight);
}

function block(
  { dModel: C, heads, dFfn: F, contextLength: T, normEps }: ModelShape,
  B: number,
  x: JaxArray,
  w: LayerTensors<JaxArray>,
  cos: JaxArray,
  sin: JaxArray,
): JaxArray {
  const D = C / heads;
  const rotate = (y: JaxArray): JaxArray => {
    const low = y.ref.slice([], [], [], [0, D / 2]);
    const high = y.slice([], [], [], [D / 2, D]);
    return np.concatenate(
      [low.ref.mul(cos.ref).sub(high.ref.mul(sin.ref)), high.mul(cos.ref).add(low.mul(sin.ref))],
      -1,
    );
  };
  const qkv = np.matmul(rmsnorm(x.ref, w.norm1, normEps), w.qkv.transpose()).reshape([B, T, 3, heads, D]);
  const q = rotate(qkv.ref.slice([], [], 0));
  const k = rotate(qkv.ref.slice([], [], 1));
  const v = qkv.slice([], [], 2);
  const attended = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([B * T, C]);
  const middle = x.add(np.matmul(attended, w.o.transpose()));
  const gateUp = np.matmul(rmsnorm(middle.ref, w.norm2, normEps), w.gateUp.transpose());
  const hidden = nn.silu(gateUp.ref.slice([], [0, F])).mul(gateUp.slice([], [F, 2 * F]));
  return middle.add(np.matmul(hidden, w.down.transpose()));
}
