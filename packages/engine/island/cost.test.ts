import { describe, expect, test } from "vitest";
import { aloneStepMs, exchangeMs, exchangesOf, pairMs, pipelineStepMs, tensorStepMs } from "./cost.ts";

describe("what an exchange takes", () => {
  const sum = { ranks: 4, numbers: 64_000, exchange: "int8", form: "direct" } as const; // 68 kB
  const line = { latencyMs: 2, bytesPerSecond: 6.8e6 }; // 10 ms each

  test.each([
    ["direct", 2 + 3 * 10],
    ["reduce-scatter", 4 + 1.5 * 10],
    ["star", 4 + 4 * 10],
  ] as const)("%s among four: %f ms", (form, ms) => {
    expect(exchangeMs({ ...sum, form }, line)).toBeCloseTo(ms, 9);
  });

  test("exact numbers take 3.8 times as long as int8 in blocks of 64", () => {
    expect(exchangeMs({ ...sum, exchange: "f32", ranks: 2 }, { ...line, latencyMs: 0 })).toBeCloseTo(
      10 * (4 / 1.0625),
      9,
    );
  });
});

test("exchanges: two a layer each way, one more where a layer is computed again", () => {
  expect(exchangesOf({ layers: 6, recomputedLayers: 0 })).toBe(24);
  expect(exchangesOf({ layers: 6, recomputedLayers: 5 })).toBe(29);
});

test("in turns an exchange costs nothing while the other segment takes longer, and what is over where it does not", () => {
  const given = { computeMs: 110, exchanges: 10 }; // segments of 10 ms
  expect(pairMs({ ...given, eachMs: 4 }, false)).toBe(2 * (110 + 40));
  expect(pairMs({ ...given, eachMs: 4 }, true)).toBe(220);
  expect(pairMs({ ...given, eachMs: 25 }, true)).toBe(20 + 10 * 35);
});

describe("which plan is the faster one", () => {
  const step = { flops: 1.1e12, layersFlops: 1e12, flopsPerSecond: 1e12, microbatches: 8, layers: 10, numbers: 1e6 };
  const cable = { latencyMs: 0.2, bytesPerSecond: 1.25e9 };
  const homes = { latencyMs: 20, bytesPerSecond: 2.5e6 };

  test("over a line that costs nothing both share the work: tensor parts compute the head twice, stages wait for the first microbatch", () => {
    const free = { latencyMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY };
    expect(aloneStepMs(step)).toBe(8_800);
    expect(tensorStepMs(step, 2, free)).toBeCloseTo(8 * 600, 6);
    expect(pipelineStepMs(step, 2, free)).toBeCloseTo(9 * 550, 6);
  });

  test("a cable is for tensor parts, two homes are for stages, and few microbatches are not for stages", () => {
    expect(tensorStepMs(step, 2, cable)).toBeLessThan(pipelineStepMs(step, 2, cable));
    expect(tensorStepMs(step, 2, homes)).toBeGreaterThan(9 * pipelineStepMs(step, 2, homes));
    expect(pipelineStepMs({ ...step, microbatches: 2 }, 2, cable)).toBeGreaterThan(
      1.3 * tensorStepMs({ ...step, microbatches: 2 }, 2, cable),
    );
  });
});
