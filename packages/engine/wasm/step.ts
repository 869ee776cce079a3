// What changes from step to step, as data that kernels read, and what a step leaves: byte offsets into two small blocks.
import type { StepOptions } from "../engine.ts";

/** One word each; rows is an integer. */
export const STEP = {
  scale: 0, //           1 / tokens: turns sums over tokens into means; times what all gradients lack
  learningRate: 4,
  beta1: 8,
  beta1Rest: 12, //      1 - beta1
  beta2: 16,
  beta2Rest: 20,
  eps: 24,
  weightDecay: 28,
  clipNorm: 32,
  correction1: 36, //    1 / (1 - beta1^t)
  correction2: 40,
  rows: 44, //           whose losses count
} as const;
export const STEP_BYTES = 48;

/** f64, f64, f32. */
export const REPORT = { lossSum: 0, gradNorm: 8, clip: 16 } as const;
export const REPORT_BYTES = 32;

/** `updates` counts from 1 since the moments were zeroed. */
export function packStep(options: StepOptions, updates: number, rows: number, tokens: number): ArrayBuffer {
  const { learningRate, beta1, beta2, eps, weightDecay, clipNorm } = options;
  const view = new DataView(new ArrayBuffer(STEP_BYTES));
  const values: Record<Exclude<keyof typeof STEP, "rows">, number> = {
    scale: 1 / tokens,
    learningRate,
    beta1,
    beta1Rest: 1 - beta1,
    beta2,
    beta2Rest: 1 - beta2,
    eps,
    weightDecay,
    clipNorm,
    correction1: 1 / (1 - beta1 ** updates),
    correction2: 1 / (1 - beta2 ** updates),
  };
  for (const [name, value] of Object.entries(values)) view.setFloat32(STEP[name as keyof typeof STEP], value, true);
  view.setInt32(STEP.rows, rows, true);
  return view.buffer as ArrayBuffer;
}
