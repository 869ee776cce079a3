import { expect, test } from "vitest";
import { parameterTable } from "#outer";
import { type Entrant, FIELD } from "./field.ts";
import { lossFault } from "./gate.ts";
import { type Measured, matmulsToTime, median, reportShape } from "./report.ts";
import { SHAPES, type ShapeName, stepFlops, stepMatmuls } from "./shapes.ts";
import { flatTensors, listTensors, nameTensors } from "./tensors.ts";

const NAMES: ShapeName[] = ["S", "M"];

test.each(NAMES)("a step of %s costs what it is said to cost, within 1 %%", (name) => {
  const shape = SHAPES[name];
  expect(Math.abs(stepFlops(shape) / shape.nominalFlops - 1)).toBeLessThan(0.01);
});

test("S counts its products by hand: five linear layers and T x T attention, three times", () => {
  const [N, C, F, V, T, B] = [512, 64, 172, 256, 64, 8];
  const forward = 2 * (2 * N * (4 * C * C + 3 * C * F) + 4 * B * T * T * C) + 2 * N * V * C;
  expect(stepFlops(SHAPES.S)).toBe(3 * forward);
  expect(stepMatmuls(SHAPES.S)).toContainEqual({ shape: { form: "tn", M: 3 * C, N: C, K: N }, times: 2 });
});

/** Each step of each contestant alike, unless the test says otherwise. */
const measured = (entrant: Entrant, change: Partial<Measured> = {}): Measured => ({
  ...{ entrant, losses: [5], stepsMs: [100], coldMs: [3000], bytesPeak: 1, bytesCreated: 2 },
  ...{ dispatchesPerStep: 10, submitsPerStep: 1 },
  matmulsMs: matmulsToTime(SHAPES.S).map(() => [10]),
  ...change,
});

test("speedup is ours over the best rival of the same backend, by medians", () => {
  const [ours, jax, tfjs, jaxWasm] = ["ours-webgpu", "jax-webgpu", "tfjs-webgpu", "jax-wasm"].map(
    (page) => FIELD.find((entrant) => entrant.page === page)!,
  );
  const all = [
    measured(ours, { stepsMs: [100, 9000, 100], msByKernel: { "matmul-nt": 60, "attention-forward": 20, adamw: 5 } }),
    measured(jax, { stepsMs: [500, 400, 450] }),
    measured(tfjs, { stepsMs: [2000] }),
    measured(jaxWasm, { stepsMs: [10], matmulsMs: matmulsToTime(SHAPES.S).map(() => [1]) }),
  ];
  const report = reportShape("S", SHAPES.S, all, [5.001]);
  expect(report.speedup).toEqual({ webgpu: 4.5 });
  const plain = (2 * 512 ** 3) / 1e7; // 10 ms, in GFLOP/s
  expect(report.ceilingGflopsPerSecond.webgpu).toBeCloseTo(plain, 9);
  expect(report.ceilingGflopsPerSecond.wasm).toBeCloseTo(10 * plain, 9);
  expect(report.entrants[0].ofCeiling).toBeCloseTo(stepFlops(SHAPES.S) / 1e8 / plain, 9);
  expect(report.entrants[0].tokensPerSecond).toBeCloseTo(5120, 9);
  expect(report.entrants[0].lossApart).toBeCloseTo(0.001, 9);
  expect(report.goalTokensPerSecond).toBeCloseTo(4 * (512 / 0.45), 6); // below 0.8 of 26.8 GFLOP/s
  const slow = all.map((one) => ({ ...one, matmulsMs: one.matmulsMs.map(() => [100]) }));
  const ceiling = (2 * 512 ** 3) / 0.1; // per second, at 100 ms
  expect(reportShape("S", SHAPES.S, slow, [5]).goalTokensPerSecond).toBeCloseTo(
    (0.8 * ceiling * 512) / stepFlops(SHAPES.S),
    6,
  );
  expect(report.stepOverMatmuls).toBeCloseTo(100 / 60, 9);
  expect(report.stepOverMatmulsAndAttention).toBeCloseTo(100 / 80, 9);
});

test("a machine that slows down between two rounds changes no ratio", () => {
  const [ours, jax] = FIELD;
  const all = [measured(ours, { stepsMs: [100, 100, 200] }), measured(jax, { stepsMs: [300, 800, 800] })];
  expect(reportShape("S", SHAPES.S, all, [5]).speedup.webgpu).toBe(4);
});

test("a refused rival sets no speed to beat, and a product's best rival is the fastest at it", () => {
  const [ours, jax, tfjs] = FIELD;
  const fast = measured(tfjs, { stepsMs: [1], fault: "it learns nothing" });
  const slow = measured(jax, { matmulsMs: matmulsToTime(SHAPES.S).map((_, i) => [i]) });
  const report = reportShape("S", SHAPES.S, [measured(ours), slow, fast], [5]);
  expect(report.speedup.webgpu).toBe(1);
  expect(report.entrants[2].fault).toBe("it learns nothing");
  expect(report.matmuls).toHaveLength(15);
  expect(report.matmuls[4]).toMatchObject({ form: "tn", oursMs: 10, rivalMs: 7, rival: jax.name, timesPerStep: 2 });
});

test("a speed counts only with the reference's losses", () => {
  const reference = [5.7, 5.4, 5.2, 4.9, 4.7, 4.5, 4.3, 4.2, 4.0, 3.9];
  expect(lossFault(reference, reference)).toBeUndefined();
  expect(lossFault(reference.slice(1), reference.slice(1))).toMatch("9 steps are too few");
  const learnsNothing = reference.map(() => 5.7);
  expect(lossFault(learnsNothing, reference)).toMatch("before step 2 was 5.7000, the reference's 5.4000");
  expect(lossFault(reference.with(9, Number.NaN), reference)).toMatch("before step 10 was NaN");
  expect(lossFault(reference.with(3, 4.905), reference)).toMatch("before step 4");
});

test("the flat vector of the rivals holds every weight once, by name again, and only matrices decay", () => {
  const { model } = SHAPES.S;
  const weights = Float32Array.from({ length: parameterTable(model).length }, (_, i) => i);
  const { shapes, sizes, values, kept } = flatTensors(model, weights);
  expect(values.toSorted()).toEqual(weights);
  expect(nameTensors(shapes)).toMatchObject({ embed: [256, 64], norm: [64], layers: [{ gateUp: [344, 64] }, {}] });
  expect(listTensors(nameTensors(sizes))).toEqual(sizes);
  expect(kept.filter((share) => share === 1)).toHaveLength(5 * 64); // two norms a layer, and the last one
});

test("the median of an even number of values is between the two in the middle", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([9, 1, 2])).toBe(2);
  expect(median([])).toBeNaN();
});
