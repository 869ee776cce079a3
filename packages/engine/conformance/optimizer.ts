import type { ParameterTable } from "#outer";
import { adamw, flatGroups, packStep, report, squares } from "../kernels/optimizer.ts";
import { adamwStep } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare, exactly } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

const OPTIONS = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const ROWS = 77;

/** The end of a step: norm, mean loss, clipping, AdamW. Half of the floats decay; gradient and losses are zero afterwards. */
export async function checkOptimizer(
  runner: KernelRunner,
  { floats, deviation }: { readonly floats: number; readonly deviation: number },
): Promise<Check[]> {
  const random = prng(floats);
  const gradient = f32(normals(random, floats, deviation));
  const groups = flatGroups(floats / 4);
  const { partials } = await runner.run(squares, { n: floats / 4 }, { x: gradient, partials: unwritten(groups) });
  const losses = f32(normals(random, ROWS).map(Math.abs));
  const step = packStep(OPTIONS, 3, ROWS, ROWS);
  const shape = { rows: ROWS, partials: groups };
  const ended = await runner.run(report, shape, { step, partials, losses, report: unwritten(2) });

  const decayed = Math.floor(floats / 8) * 4;
  const parameters = f32(normals(random, floats));
  const momentum = f32(normals(random, floats, 0.1));
  const variance = f32(normals(random, floats, 0.1).map(Math.abs));
  const own = await runner.run(
    adamw,
    { n: floats / 4, decayed: decayed / 4 },
    { step, report: ended.report, parameters, gradient, momentum, variance },
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
    compare(adamw, "parameters", own.parameters, truth.parameters, 1e-6),
    compare(adamw, "momentum", own.momentum, truth.m, 1e-5),
    compare(adamw, "variance", own.variance, truth.v, 1e-5),
    exactly(adamw, "gradient", own.gradient, 0),
  ];
}
