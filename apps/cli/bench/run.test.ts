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
