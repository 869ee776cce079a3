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
  valueAndGrad,
} from "@jax-js/jax";
import type { ModelShape } from "#wire";
import { type Contestant, noise } from "./contestant.ts";
import { type BenchShape, ropeAngles, STEP } from "./shapes.ts";
import { type FlatTensors, flatTensors, type LayerTensors, listTensors, nameTensors, type Tensors } from "./tensors.ts";

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
    const flat = flatTensors(model, weights);
    const kept = np.array(flat.kept);
    const step = jit(trainStep(shape, flat));
    const { length } = flat.values;
    let state: State = { weights: np.array(flat.values), m: np.zeros([length]), v: np.zeros([length]) };
    let t = 0;
    return {
      async step() {
        t++;
        const corrections = np.array(new Float32Array([1 / (1 - STEP.beta1 ** t), 1 / (1 - STEP.beta2 ** t)]));
        const [loss, next] = step(state, kept.ref, corrections, inputs.ref, targets.ref) as [JaxArray, State];
        state = next;
        const [[value]] = await Promise.all([loss.data(), blockUntilReady(state)]);
        return value;
      },
      async matmul({ form, M, N, K }) {
        const a = np.array(noise(M * K)).reshape(form === "tn" ? [K, M] : [M, K]);
        const b = np.array(noise(N * K)).reshape(form === "nt" ? [N, K] : [K, N]);
        const product = jit((x: JaxArray, y: JaxArray) =>
          np.matmul(form === "tn" ? x.transpose() : x, form === "nt" ? y.transpose() : y),
        );
        return {
          async run(times) {
            // All are kept until they are there: what is dropped before it runs does not run.
            const results = Array.from({ length: times }, () => product(a.ref, b.ref));
            await blockUntilReady(results);
            for (const result of results) result.dispose();
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

/** Flat vectors, as in tensors.ts. */
type State = { weights: JaxArray; m: JaxArray; v: JaxArray };

/** (state, what decay keeps, [1 / (1 - beta1^t), 1 / (1 - beta2^t)], inputs, targets) -> [loss, state'] */
function trainStep(shape: BenchShape, { sizes, shapes }: FlatTensors) {
  const { learningRate, beta1, beta2, eps, clipNorm } = STEP;
  return (
    { weights, m, v }: State,
    kept: JaxArray,
    corrections: JaxArray,
    inputs: JaxArray,
    targets: JaxArray,
  ): [JaxArray, State] => {
    let at = 0;
    const parts = sizes.map((size, i) => {
      at += size;
      return weights.ref.slice([at - size, at]).reshape(shapes[i]);
    });
    const lossAndGradients = valueAndGrad((w: Weights) => lossOf(shape, w, inputs, targets));
    const [loss, gradients] = lossAndGradients(nameTensors(parts));
    const gradient = np.concatenate(listTensors(gradients).map((part) => part.reshape([-1])));
    const norm = np.sqrt(np.square(gradient.ref).sum());
    const clipped = gradient.mul(np.minimum(np.divide(clipNorm, norm), 1));
    const first = m.mul(beta1).add(clipped.ref.mul(1 - beta1));
    const second = v.mul(beta2).add(np.square(clipped).mul(1 - beta2));
    const [c1, c2] = [corrections.ref.slice(0), corrections.slice(1)];
    const direction = first.ref.mul(c1).div(np.sqrt(second.ref.mul(c2)).add(eps));
    const updated = weights.mul(kept).sub(direction.mul(learningRate));
    return [loss, { weights: updated, m: first, v: second }];
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
