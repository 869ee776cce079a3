// [R54] Who of a pipeline's members is which stage, and of how many layers.
import fc from "fast-check";
import { expect, test } from "vitest";
import { pipelineStepMs, type StepShape } from "#wire";
import { bestOrder, type StageGiven, stagesOf } from "./island-stages.ts";

const given = (change: Partial<StageGiven>): StageGiven => ({
  ...{ layers: 22, speeds: [1, 1], headLayers: 0, most: [22, 22] },
  ...change,
});

test.each<[string, Partial<StageGiven>, number[] | undefined]>([
  ["as fast as each other", {}, [11, 11]],
  ["what is left over goes to the first ones", { speeds: [1, 1, 1, 1], most: [22, 22, 22, 22] }, [6, 6, 5, 5]],
  ["a phone and a workstation, ten times as fast", { speeds: [1, 10] }, [2, 20]],
  ["the head is worth layers", { headLayers: 4 }, [13, 9]],
  ["a slow one has a layer at least", { speeds: [1, 1000] }, [1, 21]],
  ["the faster one holds five", { speeds: [1, 10], most: [22, 5] }, [17, 5]],
  ["just enough", { speeds: [1, 10], most: [2, 20] }, [2, 20]],
  ["one layer too many", { most: [2, 19] }, undefined],
  ["not even one fits", { most: [22, 0] }, undefined],
  ["fewer layers than members", { layers: 2, speeds: [1, 1, 1], most: [9, 9, 9] }, undefined],
])("%s", (_, change, layers) => {
  expect(stagesOf(given(change))).toEqual(layers);
});

/** All ways to share so many layers. */
function* sharings(layers: number, stages: number): Generator<number[]> {
  if (stages === 1) yield [layers];
  else
    for (let first = 1; first <= layers - stages + 1; first++)
      for (const rest of sharings(layers - first, stages - 1)) yield [first, ...rest];
}

const anyStages = fc.integer({ min: 2, max: 4 }).chain((stages) =>
  fc.record({
    layers: fc.integer({ min: 1, max: 12 }),
    speeds: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: stages, maxLength: stages }),
    headLayers: fc.integer({ min: 0, max: 60 }).map((tenths) => tenths / 10),
    most: fc.array(fc.integer({ min: 0, max: 12 }), { minLength: stages, maxLength: stages }),
  }),
);

test("the slowest stage is as fast as in any other sharing that fits, and there is none only where none fits", () => {
  fc.assert(
    fc.property(anyStages, (any) => {
      const { layers, speeds, headLayers, most } = any;
      const slowest = (counts: readonly number[]): number =>
        Math.max(...counts.map((count, i) => (count + (i === counts.length - 1 ? headLayers : 0)) / speeds[i]));
      const fitting = [...sharings(layers, speeds.length)].filter((counts) => counts.every((n, i) => n <= most[i]));
      const found = stagesOf(any);
      if (found === undefined) {
        expect(fitting).toEqual([]);
        return;
      }
      expect(fitting).toContainEqual(found);
      expect(slowest(found)).toBeCloseTo(Math.min(...fitting.map(slowest)), 9);
    }),
    { numRuns: 500 },
  );
});

const step: StepShape = { microbatches: 8, layers: 10, layerFlops: 1e9, headFlops: 2e9, numbers: 1 };
interface Member {
  readonly name: string;
  readonly speed: number;
  readonly most?: (rank: number) => number;
}
const order = (members: readonly Member[], hopMs: (pair: string) => number | undefined = () => 0) => {
  const found = bestOrder<Member>({
    ...{ members, step, speeds: members.map(({ speed }) => speed), mostOf: ({ most }, rank) => most?.(rank) ?? 10 },
    hopOf: (from, to) => {
      const ms = hopMs([from.name, to.name].sort().join(""));
      return ms === undefined ? undefined : { forwardMs: ms, backwardMs: ms, latencyMs: 0 };
    },
  });
  return found && [found.members.map(({ name }) => name).join(""), found.layers.join()];
};

test("equals stay in their order; who has most memory for the head is last", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => ({ name, speed: 1e12 }));
  expect(order([a, b, c])).toEqual(["abc", "4,4,2"]);
  const noHead = { most: (rank: number) => (rank === 1 ? 0 : 10) };
  expect(order([a, { ...b, ...noHead }])).toEqual(["ba", "6,4"]);
  expect(order([a, b].map((member) => ({ ...member, ...noHead })))).toBeUndefined();
});

test("only who follows whom needs a good line", () => {
  const members = ["a", "b", "c"].map((name) => ({ name, speed: 1e12 }));
  const far = (slow: string, ms: number | undefined) => (pair: string) => (pair === slow ? ms : 1);
  expect(order(members, far("ab", 1_000))?.[0]).toBe("acb");
  expect(order(members, far("bc", undefined))?.[0]).toBe("bac");
  expect(order(members.slice(0, 2), far("ab", undefined))).toBeUndefined();
});

test("the best order is no slower than any other one with any sharing", () => {
  const [a, b, c] = [3e11, 1e12, 2e12];
  const stepMs = (speeds: readonly number[], layers: readonly number[]): number =>
    pipelineStepMs(
      layers.map((count, i) => (1000 * (count * 1e9 + (i === 2 ? 2e9 : 0))) / speeds[i]),
      [0, 1].map(() => ({ forwardMs: 0, backwardMs: 0, latencyMs: 0 })),
      step.microbatches,
    );
  const all = [
    [a, b, c],
    [a, c, b],
    [b, a, c],
    [b, c, a],
    [c, a, b],
    [c, b, a],
  ].flatMap((speeds) => [...sharings(10, 3)].map((layers) => stepMs(speeds, layers)));
  const found = bestOrder<number>({
    ...{ members: [a, b, c], step, speeds: [a, b, c], mostOf: () => 10 },
    hopOf: () => ({ forwardMs: 0, backwardMs: 0, latencyMs: 0 }),
  });
  expect(found!.stepMs / Math.min(...all)).toBeLessThan(1.05); // the slowest stage alone is made as fast as can be
});
