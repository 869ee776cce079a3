import type { ParameterTable } from "#outer";
import {
  adamw,
  adamw8bit,
  flatGroups,
  halve,
  MOMENT_BLOCK,
  MOMENT_BLOCK_WORDS,
  packScaling,
  packStep,
  REPORT_FLOATS,
  report,
  squares,
} from "../kernels/optimizer.ts";
import { adamwStep, roundMoments, unpackMoments } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare, exactly } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

const OPTIONS = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const ROWS = 77;
const SCALE = 8;

/** The end of a step: norm, mean loss, clipping, AdamW. Half of the floats decay; gradient and losses are zero afterwards, also of a step that was skipped. */
export async function checkOptimizer(
  runner: KernelRunner,
  { floats, deviation }: { readonly floats: number; readonly deviation: number },
): Promise<Check[]> {
  const random = prng(floats);
  const gradient = f32(normals(random, floats, deviation));
  const groups = flatGroups(floats / 4);
  const summed = f32(gradient.map((g) => g * ROWS * SCALE)); // over tokens, times the loss scale
  const { partials } = await runner.run(squares, { n: floats / 4 }, { x: summed, partials: unwritten(groups) });
  const losses = f32(normals(random, ROWS).map(Math.abs));
  const step = packStep(OPTIONS, 3, ROWS, ROWS);
  const shape = { rows: ROWS, partials: groups, scaled: 1, gain: 1 };
  const scaling = packScaling(SCALE);
  const ended = await runner.run(report, shape, {
    ...{ step, partials, losses, scaling },
    report: unwritten(REPORT_FLOATS),
  });
  const overflown = await runner.run(report, shape, {
    ...{ step, losses, scaling },
    partials: partials.map((_, i) => (i === groups - 1 ? Number.POSITIVE_INFINITY : 1)),
    report: unwritten(REPORT_FLOATS),
  });

  const decayed = Math.floor(floats / 8) * 4;
  const parameters = f32(normals(random, floats));
  const momentum = f32(normals(random, floats, 0.1));
  const variance = f32(normals(random, floats, 0.1).map(Math.abs));
  const own = await runner.run(
    adamw,
    { n: floats / 4, decayed: decayed / 4 },
    { step, report: ended.report, parameters, gradient: summed, momentum, variance },
  );
  const skipped = await runner.run(
    adamw,
    { n: floats / 4, decayed: decayed / 4 },
    { step, report: overflown.report, parameters, gradient: summed, momentum, variance },
  );
  const table: ParameterTable = {
    length: floats,
    tensors: [
      { name: "matrix", shape: [decayed, 1], offset: 0, length: decayed },
      { name: "norm", shape: [floats - decayed], offset: decayed, length: floats - decayed },
    ],
  };
  const truth = { parameters: parameters.slice(), gradient, m: momentum.slice(), v: variance.slice(), step: 3 };
  const norm = adamwStep(truth, table, OPTIONS);
  return [
    compare(report, "loss", [ended.report[0]], [losses.reduce((a, b) => a + b) / ROWS], 1e-5),
    compare(squares, "gradient norm", [ended.report[1]], [norm], 1e-5),
    exactly(report, "losses", ended.losses, 0),
    exactly(report, "skipped", [ended.report[3], overflown.report[3] - 1, overflown.scaling[0] - SCALE / 2], 0),
    compare(adamw, "parameters", own.parameters, truth.parameters, 1e-6),
    compare(adamw, "momentum", own.momentum, truth.m, 1e-5),
    compare(adamw, "variance", own.variance, truth.v, 1e-5),
    exactly(adamw, "gradient", own.gradient, 0),
    compare(adamw, "parameters, skipped", skipped.parameters, parameters, 0),
    compare(adamw, "momentum, skipped", skipped.momentum, momentum, 0),
    exactly(adamw, "gradient, skipped", skipped.gradient, 0),
  ];
}

/** The copy of the weights in f16. What f16 cannot hold must become infinite: where it became the largest number, no step would be skipped. */
export async function checkHalve(runner: KernelRunner, { floats }: { readonly floats: number }): Promise<Check[]> {
  const x = f32(normals(prng(floats), floats));
  const { y } = await runner.run(halve, { n: floats / 4 }, { x, y: unwritten(floats) });
  const beyond = await runner.run(halve, { n: 1 }, { x: f32([65_536, -1e6, 1e9, -3e38]), y: unwritten(4) });
  return [
    compare(halve, "weights", y, runner.stored(x), runner.storedError(0)),
    exactly(
      halve,
      "beyond f16",
      beyond.y.map((x) => (Number.isFinite(x) ? 1 : 0)),
      0,
    ),
  ];
}

/** One step of the logarithmic scale is an eighth of an octave of m, and the square of a sixteenth of v: at most a tenth; two, for luck on the brink. */
const CODE_STEP = 0.2;

/** AdamW with moments in 8 bits: two updates, and what is kept of the moments after each. */
export async function checkOptimizer8bit(
  runner: KernelRunner,
  { floats }: { readonly floats: number },
): Promise<Check[]> {
  const random = prng(8);
  const options = { ...OPTIONS, clipNorm: 1e9 };
  const parameters = f32(normals(random, floats));
  const table: ParameterTable = {
    length: floats,
    tensors: [{ name: "norm", shape: [floats], offset: 0, length: floats }],
  };
  const truth = { parameters: parameters.slice(), m: new Float32Array(floats), v: new Float32Array(floats) };
  const words = (floats / MOMENT_BLOCK) * MOMENT_BLOCK_WORDS;
  let own = { parameters, momentum: new Float32Array(words), variance: new Float32Array(words) };
  const checks: Check[] = [];
  for (const update of [1, 2]) {
    // Gradients of five orders of magnitude in one block, a block of zeros, and one beyond the smallest scale.
    const gradient = f32(normals(random, floats).map((x, i) => (i < 32 ? 0 : i < 64 ? x * 1e-33 : x * 10 ** -(i % 6))));
    const step = packStep(options, update, 1, 1);
    const shape = { n: floats / MOMENT_BLOCK, decayed: 0, first: 0 };
    const ended = f32([0, 1, 1, 0, 1 / (1 - OPTIONS.beta1 ** update), 1 / (1 - OPTIONS.beta2 ** update)]);
    own = await runner.run(adamw8bit, shape, { step, report: ended, ...own, gradient });
    adamwStep({ ...truth, gradient, step: update }, table, options);
    checks.push(compare(adamw8bit, `parameters after update ${update}`, own.parameters, truth.parameters, 1e-5));
    const kept = unpackMoments(bitsOf(own.momentum), bitsOf(own.variance));
    roundMoments(truth.m, truth.v, update);
    for (const [name, is, should] of [
      ["m", kept.m, truth.m],
      ["v", kept.v, truth.v],
    ] as const) {
      const off = is.map((x, i) => Math.abs(x - should[i]) / Math.max(Math.abs(should[i]), 1e-30));
      const tensor = `${name} after update ${update}`;
      checks.push({ kernel: adamw8bit.label, tensor, error: Math.max(...off), allowed: CODE_STEP });
      const others = off.filter((x) => !(x <= 1e-4)).length / floats; // a logarithm or a chance was on the brink
      checks.push({ kernel: adamw8bit.label, tensor: `codes of ${tensor}`, error: others, allowed: 0.01 });
    }
    truth.m.set(kept.m);
    truth.v.set(kept.v);
  }
  return checks;
}

type Bits = Uint32Array<ArrayBuffer>;
const bitsOf = ({ buffer, byteOffset, length }: Float32Array<ArrayBuffer>): Bits =>
  new Uint32Array(buffer, byteOffset, length);
