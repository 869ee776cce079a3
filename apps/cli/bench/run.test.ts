import { expect, test } from "vitest";
import { SpecError } from "../../host/load-run.ts";
import { type BenchRunOptions, benchRun } from "./run.ts";

const given: BenchRunOptions = {
  run: "e2e/short-rounds.json",
  from: process.cwd(),
  peers: 2,
  rounds: 2,
  set: [],
  zeroAttention: false,
  engine: "wasm",
  json: false,
};
const bench = (change: Partial<BenchRunOptions>) => benchRun({ ...given, ...change }, () => {});

test("a run of two peers learns from round to round, and the same run gives the same losses", async () => {
  const { points } = await bench({});
  expect(points.map(({ round }) => round)).toEqual([1, 2]);
  expect(points[0]!.evalLoss).toBeLessThan(Math.log(256));
  expect(points[1]!.evalLoss).toBeLessThan(points[0]!.evalLoss);
  expect((await bench({})).points).toEqual(points);
});

test("the engine and the CPU reference learn alike", async () => {
  const [fast, slow] = [await bench({}), await bench({ engine: "reference" })];
  for (const [i, { evalLoss }] of fast.points.entries()) expect(evalLoss).toBeCloseTo(slow.points[i]!.evalLoss, 3);
  await expect(bench({ moments: "8bit" })).rejects.toThrow(/--engine reference/);
  await expect(bench({ precision: "f16" })).rejects.toThrow(/--engine dawn/);
});

test("chunked top-k learns too, from updates a fortieth as large", async () => {
  const codec = 'outer.codec={"name":"chunk-top-k","chunk":4096,"k":64,"feedback":0.95}';
  const { points } = await bench({ set: ["version=3", codec, "outer.blockSize="] });
  expect(points[1]!.evalLoss).toBeLessThan(points[0]!.evalLoss);
});

test("FedAvg learns too: the mean of what the peers trained, each round without moments", async () => {
  const mean = ["version=4", "outer.learningRate=1", "outer.momentum=0"];
  const { points } = await bench({ set: [...mean, "inner.resetMoments=true"] });
  expect(points[1]!.evalLoss).toBeLessThan(points[0]!.evalLoss);
  expect(points[1]).not.toEqual((await bench({ set: mean })).points[1]);
});

test("Streaming DiLoCo learns too, a fragment a round, from updates half as large", async () => {
  const set = ["version=4", "outer.fragments=2", 'outer.codec={"name":"e3m0"}', "outer.blockSize=", "inner.steps=4"];
  const lines: string[] = [];
  const { points } = await benchRun({ ...given, rounds: 4, set }, (line) => lines.push(line));
  expect(points[3]!.evalLoss).toBeLessThan(points[1]!.evalLoss);
  const bytes = lines.flatMap((line) => Number(/updates of (\d+) bytes/.exec(line)?.[1] ?? []));
  expect(bytes[2]).toBe(bytes[0]);
  expect(bytes[1]).not.toBe(bytes[0]);
});

test("DDP: a hundred steps of four peers' gradients are those of one peer with all of the data", async () => {
  const ddp = ['outer.extract="gradient"', 'outer.method="adamw"', "outer.learningRate=1", "outer.momentum=0"];
  const exact = ['outer.codec={"name":"f32"}', "outer.blockSize=", "outer.clipToMedianNorm=false"];
  // At five times this rate rounding is enough to set two runs apart, by 1e-3 after sixty steps.
  const steps = ["inner.steps=1", "inner.learningRate=0.001", "evaluation.everyRounds=50"];
  const set = ["version=4", ...ddp, ...exact, ...steps];
  const four = await bench({ peers: 4, rounds: 100, set: [...set, "inner.windowsPerStep=2"] });
  const one = await bench({ peers: 1, rounds: 100, set: [...set, "inner.windowsPerStep=8"] });
  expect(four.points.map(({ tokens }) => tokens)).toEqual(one.points.map(({ tokens }) => tokens));
  for (const [i, { evalLoss }] of four.points.entries())
    expect(Math.abs(evalLoss / one.points[i]!.evalLoss - 1)).toBeLessThan(1e-6);
  expect(four.points[1]!.evalLoss).toBeLessThan(four.points[0]!.evalLoss);
});

test("attention zeroed, another number of peers, a changed field: each is another run", async () => {
  const { points } = await bench({});
  for (const change of [{ zeroAttention: true }, { peers: 1 }, { set: ["inner.learningRate=0.001"] }])
    expect((await bench(change)).points).not.toEqual(points);
});

test("a field that does not exist, or a value that may not stand there, is named", async () => {
  await expect(bench({ set: ["outer.impetus=0.9"] })).rejects.toThrow(SpecError);
  await expect(bench({ set: ["outer.impetus=0.9"] })).rejects.toThrow(/no field "outer.impetus".*outer\.momentum=0\.9/);
  await expect(bench({ set: ["outer.momentum=high"] })).rejects.toThrow(/outer\.momentum/);
});
