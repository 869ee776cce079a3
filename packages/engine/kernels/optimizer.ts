// The end of a step: global gradient norm, loss, clipping and AdamW, without a readback in between.

import { kernel, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import type { StepOptions } from "../engine.ts";
import adamwSource from "./adamw.wgsl?raw";
import adamw8Source from "./adamw-8bit.wgsl?raw";
import halveSource from "./halve.wgsl?raw";
import reportSource from "./report.wgsl?raw";
import squaresSource from "./squares.wgsl?raw";

const GROUP = 64;
/** Enough workgroups to fill a GPU; more would only lengthen the second stage. */
export const GROUPS_MAX = 256;
/** vec4 per invocation before there are more workgroups: starting one costs a software adapter about as much. */
const PER_INVOCATION = 16;

export const flatGroups = (n: number): number =>
  Math.max(1, Math.min(GROUPS_MAX, Math.ceil(n / (GROUP * PER_INVOCATION))));

/** A sum over a workgroup; where there are quads the workgroup is one, because a barrier costs a CPU more than the sums (0.8 ms of 115,520 squares). */
const sumGroup = ({ quads }: Variant): number => (quads ? 4 : GROUP);
const sumFlags = ({ quads }: Variant) => ({ QUADS: quads, BARRIER: !quads });

/** `n` counts vec4. */
export const squares = kernel({
  label: "squares",
  source: (variant) => expand(squaresSource, { constants: { GROUP: sumGroup(variant) }, flags: sumFlags(variant) }),
  shape: { n: "u32" },
  bindings: { x: "read", partials: "write" },
  workgroups: ({ n }) => [flatGroups(n), 1, 1],
});

/**
 * A loss is scaled as a sum over tokens, so that what f16 holds, gradients of single tokens, is as large whatever the batch. At this start a gradient of a logit is at
 * most 1024, a sixty-fourth of what f16 holds; from 65,536 on it would be too large by itself.
 */
export const LOSS_SCALE = { start: 2 ** 10, max: 2 ** 15 };
/** Each doubling may cost a step: one in a thousand. */
const GOOD_STEPS = 1000;

/** So many skipped steps in a row are an error: fifteen halvings lead from the largest scale to 1, and as many more are no accident. */
export const SKIPPED_MAX = 30;

/** Words of `scaling`: the state of loss scaling, which stays on the device. */
export const SCALING_WORDS = 4;
/** Byte in it where the steps that were skipped since the moments were zeroed are counted. */
export const SCALING_LAG_BYTE = 12;

/** Its start, or a scale that stays. */
export function packScaling(scale: number): Float32Array<ArrayBuffer> {
  return Float32Array.of(scale, 0, 0, 0);
}

/** Floats of `report`: loss, norm, unscale, skipped (steps in a row), and both corrections. `scaled` is 1 where the loss is scaled; `gain` is what every gradient lacks: 1, or the adapters' scale. */
export const REPORT_FLOATS = 6;

export const report = kernel({
  label: "report",
  source: (variant) =>
    expand(reportSource, {
      constants: { GROUP: sumGroup(variant), GOOD: GOOD_STEPS, SCALE_MAX: LOSS_SCALE.max },
      flags: sumFlags(variant),
    }),
  shape: { rows: "u32", partials: "u32", scaled: "u32", gain: "f32" },
  bindings: { step: "read", partials: "read", losses: "write", report: "write", scaling: "write" },
  workgroups: () => [1, 1, 1],
});

export const adamw = kernel({
  label: "adamw",
  source: () => expand(adamwSource, { constants: { GROUP } }),
  shape: { n: "u32", decayed: "u32" },
  bindings: {
    step: "read",
    report: "read",
    parameters: "write",
    gradient: "write",
    momentum: "write",
    variance: "write",
  },
  workgroups: ({ n }) => [flatGroups(n), 1, 1],
});

/** `n` counts vec4. */
export const halve = kernel({
  label: "halve",
  source: ({ half }) => expand(halveSource, { constants: { GROUP }, half }),
  shape: { n: "u32" },
  bindings: { x: "read", y: "write" },
  stored: ["y"],
  workgroups: ({ n }) => [flatGroups(n), 1, 1],
});

/** Floats that share a scale where moments are kept in 8 bits, and the words that they take: four codes each, and the scale. */
export const MOMENT_BLOCK = 32;
export const MOMENT_BLOCK_WORDS = 9;

/** `n`, `decayed` and `first` (those before these) count blocks of MOMENT_BLOCK; moments of zero bytes are zero. */
export const adamw8bit = kernel({
  label: "adamw-8bit",
  source: () => expand(adamw8Source, { constants: { GROUP } }),
  shape: { n: "u32", decayed: "u32", first: "u32" },
  bindings: adamw.bindings,
  workgroups: ({ n }) => [flatGroups(n * (MOMENT_BLOCK / 4)), 1, 1],
});

/** Floats of the `step` binding: what changes from step to step is data, never part of a pipeline. */
export const STEP_FLOATS = 11;

/** `updates` counts from 1 since the moments were zeroed; `tokens` turns sums over tokens into the step's mean. */
export function packStep(
  options: StepOptions,
  updates: number,
  validRows: number,
  tokens: number,
): Float32Array<ArrayBuffer> {
  const { learningRate, beta1, beta2, eps, weightDecay, clipNorm } = options;
  const correction1 = 1 / (1 - beta1 ** updates);
  const correction2 = 1 / (1 - beta2 ** updates);
  const fields = [learningRate, beta1, beta2, eps, weightDecay, clipNorm, correction1, correction2];
  return Float32Array.of(...fields, 1 / tokens, validRows, updates);
}
