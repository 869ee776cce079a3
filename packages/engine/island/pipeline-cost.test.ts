// What a pipeline's step is predicted to take, beside the same step played turn by turn.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Hop, pipelineStepMs } from "#wire/island-cost";
import { scheduleOf } from "./schedule.ts";

/** When the last turn of scheduleOf ends: a stage computes one thing at a time, sends one thing at a time, and begins when what it needs has come. */
function playedMs(computeMs: readonly number[], hops: readonly Hop[], microbatches: number): number {
  const ranks = computeMs.length;
  const left = computeMs.map((_, rank) => scheduleOf(rank, ranks, microbatches));
  const freeAt = computeMs.map(() => 0);
  const lineFreeAt = computeMs.map(() => 0);
  const came = new Map<string, number>(); // by turn and stage
  for (let rank = 0; left.some((turns) => turns.length > 0); rank = (rank + 1) % ranks)
    for (let turn = left[rank][0]; turn !== undefined; turn = left[rank][0]) {
      const { pass, microbatch } = turn;
      const [from, to] = pass === "forward" ? [rank - 1, rank + 1] : [rank + 1, rank - 1];
      const isGiven = from >= 0 && from < ranks;
      const at = isGiven ? came.get(`${pass} ${microbatch} ${rank}`) : 0;
      if (at === undefined) break; // it waits for another stage's turn
      left[rank].shift();
      freeAt[rank] = Math.max(freeAt[rank], at) + (computeMs[rank] * (pass === "forward" ? 1 : 2)) / 3;
      const hop = hops[Math.min(rank, to)];
      if (to < 0 || to >= ranks || hop === undefined) continue;
      const sendMs = pass === "forward" ? hop.forwardMs : hop.backwardMs;
      lineFreeAt[rank] = Math.max(lineFreeAt[rank], freeAt[rank]) + sendMs;
      came.set(`${pass} ${microbatch} ${to}`, lineFreeAt[rank] + hop.latencyMs);
    }
  return Math.max(...freeAt);
}

const equal = (stages: number, ms: number, hop: Hop) => [Array(stages).fill(ms), Array(stages - 1).fill(hop)] as const;
const noHop: Hop = { forwardMs: 0, backwardMs: 0, latencyMs: 0 };

test("equal stages without lines: each microbatch, and a bubble of the other stages", () => {
  for (const stages of [2, 3, 4]) {
    const [compute, hops] = equal(stages, 30, noHop);
    expect(playedMs(compute, hops, 8)).toBeCloseTo((8 + stages - 1) * 30, 6);
    expect(pipelineStepMs(compute, hops, 8)).toBeCloseTo((8 + stages - 1) * 30, 6);
  }
});

test("any stages and lines: nine of ten predictions are within 15 % of what is played, none is half or twice of it", () => {
  const ms = (max: number) => fc.double({ min: 1, max, noNaN: true });
  const hop = fc.record({ forwardMs: ms(60), backwardMs: ms(60), latencyMs: ms(40) });
  const given = fc.integer({ min: 2, max: 4 }).chain((stages) =>
    fc.record({
      compute: fc.array(ms(100), { minLength: stages, maxLength: stages }),
      hops: fc.array(hop, { minLength: stages - 1, maxLength: stages - 1 }),
      microbatches: fc.integer({ min: 1, max: 32 }),
    }),
  );
  const ratios = fc
    .sample(given, { seed: 1, numRuns: 1000 })
    .map(
      (each) =>
        pipelineStepMs(each.compute, each.hops, each.microbatches) /
        playedMs(each.compute, each.hops, each.microbatches),
    )
    .sort((a, b) => a - b);
  expect(ratios[0]).toBeGreaterThan(0.6);
  expect(ratios[50]).toBeGreaterThan(0.85);
  expect(ratios[950]).toBeLessThan(1.15);
  expect(ratios[999]).toBeLessThan(1.5);
});
