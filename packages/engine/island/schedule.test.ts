import { expect, test } from "vitest";
import { scheduleOf, slotsOf } from "./schedule.ts";

const text = (rank: number, ranks: number, microbatches: number): string =>
  scheduleOf(rank, ranks, microbatches)
    .map(({ pass, microbatch }) => `${pass === "forward" ? "F" : "B"}${microbatch}`)
    .join(" ");

test("one forward, one backward, after as many forward as there are stages behind", () => {
  expect(text(0, 3, 4)).toBe("F0 F1 F2 B0 F3 B1 B2 B3");
  expect(text(1, 3, 4)).toBe("F0 F1 B0 F2 B1 F3 B2 B3");
  expect(text(2, 3, 4)).toBe("F0 B0 F1 B1 F2 B2 F3 B3");
  expect(text(0, 4, 2)).toBe("F0 F1 B0 B1");
});

test.each([2, 3, 4])(
  "%i stages: each microbatch once each way, in order, and never more begun than there is room for",
  (ranks) => {
    for (let rank = 0; rank < ranks; rank++)
      for (const microbatches of [1, 2, 5, 8]) {
        const begun = new Set<number>();
        const seen = { forward: [] as number[], backward: [] as number[] };
        for (const { pass, microbatch } of scheduleOf(rank, ranks, microbatches)) {
          seen[pass].push(microbatch);
          if (pass === "forward") begun.add(microbatch);
          else expect(begun.delete(microbatch)).toBe(true);
          expect(begun.size).toBeLessThanOrEqual(slotsOf(rank, ranks));
        }
        const all = Array.from({ length: microbatches }, (_, m) => m);
        expect(seen).toEqual({ forward: all, backward: all });
      }
  },
);
