// TensorFlow.js as its documentation says is fastest: tidy() around the step, everything that is one operation there as one operation
// (transposed products, softmax cross-entropy), AdamW over one flat vector instead of one tensor at a time.
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import type { ModelShape } from "#wire";
import { type Contestant, noise } from "./contestant.ts";
import { type BenchShape, ropeAngles, STEP } from "./shapes.ts";
import { flatTensors, type LayerTensors, nameTensors, type Tensors } from "./tensors.ts";

type Weights = Tensors<tf.Tensor>;

/** Once the backend is registered. */
export const tfjs = (backend: "webgpu" | "wasm"): Contestant => ({
  async open(shape, { weights, ids }) {
    if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend "${backend}" here`);
    const { model, B } = shape;
    const { contextLength: T } = model;
    const rows = (from: 0 | 1): Int32Array =>
      Int32Array.from({ length: B * T }, (_, i) => ids[Math.floor(i / T) * (T + 1) + (i % T) + from]);
    const batch = tf.tensor1d(rows(0), "int32");
    const labels = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(rows(1), "int32"), model.vocabSize), "float32"));
    const train = trainStep(shape, weights);
    return {
      async step() {
        const loss = train(batch, labels);
        const [value] = await loss.data(); // behind the update: the queue keeps its order
        loss.dispose();
        return value;
      },
      async matmul({ form, M, N, K }) {
        const a = tf.tensor2d(noise(M * K), form === "tn" ? [K, M] : [M, K]);
        const b = tf.tensor2d(noise(N * K), form === "nt" ? [N, K] : [K, N]);
        return {
          async run(times) {
            const product = (): tf.Tensor => tf.matMul(a, b, form === "tn", form === "nt");
            for (let i = 1; i < times; i++) product().dispose();
            const last = tf.tidy(() => tf.slice(product(), [0, 0], [1, 1]));
            await last.data();
            last.dispose();
          },
          free() {
            a.dispose();
            b.dispose();
          },
        };
      },
    };
  },
});

function trainStep(shape: BenchShape, start: Float32Array<ArrayBuffer>) {
  const { learningRate, beta1, beta2, eps, clipNorm } = STEP;
  const { shapes, sizes, values, kept } = flatTensors(shape.model, start);
  const constants = constantsOf(shape.model);
  const keeps = tf.tensor1d(kept);
  let flat = tf.tensor1d(values);
  let m = tf.zerosLike(flat);
  let v = tf.zerosLike(flat);
  let t = 0;
  return (batch: tf.Tensor, labels: tf.Tensor): tf.Tensor => {
    t++;
    const [c1, c2] = [1 / (1 - beta1 ** t), 1 / (1 - beta2 ** t)];
    const [loss, ...next] = tf.tidy(() => {
      const tensors = tf.split(flat, sizes).map((part, i) => tf.reshape(part, shapes[i]));
      const { value, grads } = tf.valueAndGrads((...weights: tf.Tensor[]) =>
        lossOf(shape, constants, nameTensors(weights), batch, labels),
      )(tensors);
      const gradient = tf.concat(grads.map((gradient) => tf.reshape(gradient, [-1])));
      const norm = tf.sqrt(tf.sum(tf.square(gradient)));
      const clipped = tf.mul(gradient, tf.minimum(tf.div(clipNorm, norm), 1));
      const first = tf.add(tf.mul(m, beta1), tf.mul(clipped, 1 - beta1));
      const second = tf.add(tf.mul(v, beta2), tf.mul(tf.square(clipped), 1 - beta2));
      const direction = tf.div(first, tf.add(tf.sqrt(tf.mul(second, c2)), eps));
      return [value, tf.sub(tf.mul(flat, keeps), tf.mul(direction, c1 * learningRate)), first, second];
    });
    for (const old of [flat, m, v]) old.dispose();
    [flat, m, v] = next;
    return loss;
  };
}

/** What is the same in every step. */
interface Constants {
  readonly cos: tf.Tensor; //  (T, 1, headSize / 2)
  readonly sin: tf.Tensor;
  readonly mask: tf.Tensor; // (T, T), far below zero where a key is later than the query
}

function constantsOf(model: ModelShape): Constants {
  const { contextLength: T, dModel, heads } = model;
  const { cosines, sines } = ropeAngles(model);
  const angles: [number, number, number] = [T, 1, dModel / heads / 2];
  const mask = Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0));
  return { cos: tf.tensor3d(cosines, angles), sin: tf.tensor3d(sines, angles), mask: tf.tensor2d(mask, [T, T]) };
}

function lossOf(
  { model, B }: BenchShape,
  constants: Constants,
  w: Weights,
  batch: tf.Tensor,
  labels: tf.Tensor,
): tf.Tensor {
  let x = embedding(w.embed, batch);
  for (const layer of w.layers) x = block(model, B, x, layer, constants);
  const logits = tf.matMul(rmsnorm(x, w.norm, model.normEps), w.embed, false, true);
  return tf.losses.softmaxCrossEntropy(labels, logits);
}

/** gather(), with a gradient that the wasm backend has too: the one of gather() needs an operation that it lacks. */
const embedding = (table: tf.Tensor, ids: tf.Tensor): tf.Tensor =>
  tf.customGrad((weights, save) => {
    (save as (tensors: tf.Tensor[]) => void)([ids]);
    return {
      value: tf.gather(weights, ids),
      gradFunc: (dy: tf.Tensor) => tf.matMul(tf.cast(tf.oneHot(ids, table.shape[0]), "float32"), dy, true, false),
    };
  })(table);

function rmsnorm(x: tf.Tensor, weight: tf.Tensor, eps: number): tf.Tensor {
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps));
  return tf.mul(tf.mul(x, scale), weight);
}

function block(
  { dModel: C, heads, dFfn: F, contextLength: T, normEps }: ModelShape,
  B: number,
  x: tf.Tensor,
  w: LayerTensors<tf.Tensor>,
  { cos, sin, mask }: Constants,
): tf.Tensor {
  const D = C / heads;
  const byHead = (y: tf.Tensor): tf.Tensor => tf.transpose(y, [0, 2, 1, 3]);
  const rotate = (y: tf.Tensor): tf.Tensor => {
    const [low, high] = tf.split(y, 2, -1);
    return tf.concat([tf.sub(tf.mul(low, cos), tf.mul(high, sin)), tf.add(tf.mul(high, cos), tf.mul(low, sin))], -1);
  };
  const linear = (y: tf.Tensor, weight: tf.Tensor): tf.Tensor => tf.matMul(y, weight, false, true);
  const qkv = linear(rmsnorm(x, w.norm1, normEps), w.qkv);
  const [q, k, v] = tf.split(qkv, 3, -1).map((part) => tf.reshape(part, [B, T, heads, D]));
  const scores = tf.matMul(byHead(rotate(q)), byHead(rotate(k)), false, true);
  const probabilities = tf.softmax(tf.add(tf.mul(scores, 1 / Math.sqrt(D)), mask));
  const attended = tf.reshape(byHead(tf.matMul(probabilities, byHead(v))), [B * T, C]);
  const middle = tf.add(x, linear(attended, w.o));
  const [gate, up] = tf.split(linear(rmsnorm(middle, w.norm2, normEps), w.gateUp), [F, F], -1);
  return tf.add(middle, linear(tf.mul(tf.mul(gate, tf.sigmoid(gate)), up), w.down));
}
