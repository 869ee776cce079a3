// The two decoders that every contestant trains, what a step of them costs, and what it starts from.
//
//   S  d=64  L=2 heads=2 T=64  B=8 V=256   0.403 GFLOP a step
//   M  d=128 L=4 heads=4 T=128 B=4 V=512   3.02 GFLOP a step
import type { MatmulShape, StepOptions } from "#engine";
import { genesisParameters } from "#outer";
import type { ModelShape } from "#wire";

export interface BenchShape {
  readonly model: ModelShape;
  readonly B: number;
  /** What the step is called elsewhere; stepFlops() must be within 1 % of it. */
  readonly nominalFlops: number;
}

export type ShapeName = "S" | "M";

const family = { ropeTheta: 10_000, normEps: 1e-5, tiedEmbedding: true };

/** dFfn is the multiple of 4 nearest to 8/3 d: what the engine takes. */
export const SHAPES: Readonly<Record<ShapeName, BenchShape>> = {
  S: {
    model: { ...family, vocabSize: 256, dModel: 64, layers: 2, heads: 2, kvHeads: 2, dFfn: 172, contextLength: 64 },
    B: 8,
    nominalFlops: 0.403e9,
  },
  M: {
    model: { ...family, vocabSize: 512, dModel: 128, layers: 4, heads: 4, kvHeads: 4, dFfn: 340, contextLength: 128 },
    B: 4,
    nominalFlops: 3.02e9,
  },
};

/** AdamW as everybody runs it: decay on matrices only, the gradient clipped by its global norm. */
export const STEP: StepOptions = {
  learningRate: 3e-3,
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
};

/** The matrix products of a step's linear layers and logits, forward and backward: with q, k and v as one product, and gate and up. */
export function stepMatmuls({
  model,
  B,
}: BenchShape): readonly { readonly shape: MatmulShape; readonly times: number }[] {
  const { dModel: C, dFfn: F, heads, kvHeads, layers, vocabSize: V, contextLength: T } = model;
  const N = B * T;
  const linear = (out: number, into: number, times: number) => [
    { shape: { form: "nt" as const, M: N, N: out, K: into }, times },
    { shape: { form: "tn" as const, M: out, N: into, K: N }, times },
    { shape: { form: "nn" as const, M: N, N: into, K: out }, times },
  ];
  return [
    ...linear(C + (2 * kvHeads * C) / heads, C, layers),
    ...linear(C, C, layers),
    ...linear(2 * F, C, layers),
    ...linear(C, F, layers),
    ...linear(V, C, 1),
  ];
}

/** Floating-point operations of a step: its matrix products, and attention's two over all T x T pairs, forward and twice that backward. */
export function stepFlops(shape: BenchShape): number {
  const { dModel: C, layers, contextLength: T } = shape.model;
  const linear = stepMatmuls(shape).reduce((sum, { shape: { M, N, K }, times }) => sum + 2 * M * N * K * times, 0);
  const attention = 3 * 2 * (2 * shape.B * T * T * C) * layers;
  return linear + attention;
}

/** What every contestant starts from, in the order of parameterTable(), and the one batch of B x (T + 1) ids that it sees. */
export interface Given {
  readonly weights: Float32Array<ArrayBuffer>;
  readonly ids: Uint16Array<ArrayBuffer>;
}

const SEED = 4;

export function givenOf({ model, B }: BenchShape): Given {
  let state = SEED;
  const ids = Uint16Array.from({ length: B * (model.contextLength + 1) }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // Numerical Recipes' generator: its high bits are good enough here
    return Math.floor((state / 2 ** 32) * model.vocabSize);
  });
  return { weights: new Float32Array(genesisParameters(model, SEED)), ids };
}

/** Rotation angles of rotary embedding (T, headSize / 2): component i of a head turns with component i + headSize / 2. */
export function ropeAngles({ contextLength: T, dModel, heads, ropeTheta }: ModelShape): {
  readonly cosines: Float32Array<ArrayBuffer>;
  readonly sines: Float32Array<ArrayBuffer>;
} {
  const half = dModel / heads / 2;
  const angle = (_: unknown, i: number): number => Math.floor(i / half) * ropeTheta ** (-(i % half) / half);
  const angles = Array.from({ length: T * half }, angle);
  return { cosines: Float32Array.from(angles, Math.cos), sines: Float32Array.from(angles, Math.sin) };
}
