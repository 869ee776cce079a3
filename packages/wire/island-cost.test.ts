// What a step of an island is predicted to take.
import { describe, expect, test } from "vitest";
import {
  allReduceMs,
  aloneStepMs,
  exchangeMs,
  exchangesOf,
  type Hop,
  type LineShape,
  pairMs,
  pipelineStepMs,
  sequencesAtOnce,
  stepShapeOf,
  tensorStepMs,
} from "./island-cost.ts";
import { BYTES_PER_NUMBER } from "./islands.ts";
import { presets } from "./presets.ts";

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

  test("a star's hub has the one fast line", () => {
    const lan = { ranks: 4, latencyMs: 1, bytesPerSecond: 10e6, hubBytesPerSecond: 100e6, bytes: 100_000 };
    expect(allReduceMs(lan)).toEqual({ direct: 1 + 30, "reduce-scatter": 2 + 15, star: 2 + 10 + 3 });
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
  expect(exchangesOf({ layers: 6, recomputedLayers: 5, residual: "ladder" })).toBe(24);
});

test("in turns an exchange costs nothing while the other segment takes longer, and what is over where it does not", () => {
  const given = { computeMs: 110, exchanges: 10 }; // segments of 10 ms
  expect(pairMs({ ...given, eachMs: 4 }, false)).toBe(2 * (110 + 40));
  expect(pairMs({ ...given, eachMs: 4 }, true)).toBe(220);
  expect(pairMs({ ...given, eachMs: 25 }, true)).toBe(20 + 10 * 35);
});

test("with a ladder residual the next segment hides it too, one microbatch at a time as well, but for the last sum each way", () => {
  const given = { computeMs: 110, exchanges: 10, residual: "ladder" } as const;
  expect(pairMs({ ...given, eachMs: 4 }, false)).toBe(2 * (110 + 2 * 4));
  expect(pairMs({ ...given, eachMs: 25 }, false)).toBe(2 * (10 + 8 * (35 / 2) + 2 * 35));
  expect(pairMs({ ...given, eachMs: 25 }, true)).toBe(20 + 8 * 20 + 2 * 35);
});

test("the work of a step is the model's, however many sequences are taken at once", () => {
  const { model } = presets.micro;
  const flops = ({ microbatches, layers, layerFlops, headFlops }: ReturnType<typeof stepShapeOf>): number =>
    microbatches * (layers * layerFlops + headFlops);
  const whole = stepShapeOf(model, 8, 8);
  expect(flops(stepShapeOf(model, 8, 2))).toBe(flops(whole));
  expect(aloneStepMs(whole, 1e9)).toBeCloseTo(flops(whole) / 1e6, 6);
});

test("sequences at once leave two microbatches to tensor parts and four a stage to pipelines, and none out", () => {
  expect([1, 2, 3, 8, 64].map((windows) => sequencesAtOnce(windows, "tensor", 2))).toEqual([1, 1, 1, 4, 32]);
  expect([1, 8, 18, 64, 100].map((windows) => sequencesAtOnce(windows, "pipeline", 2))).toEqual([1, 1, 2, 8, 10]);
  expect(sequencesAtOnce(64, "pipeline", 4)).toBe(4);
  expect(sequencesAtOnce(8, "sequence", 4)).toBe(8);
});

describe("which plan is the faster one", () => {
  const step = { microbatches: 8, layers: 10, layerFlops: 1e11, headFlops: 1e11, numbers: 1e6 };
  const cable = { latencyMs: 0.2, bytesPerSecond: 1.25e9 };
  const homes = { latencyMs: 20, bytesPerSecond: 2.5e6 };
  const tensorMs = (given: typeof step, line: LineShape): number => {
    const { numbers } = given;
    return tensorStepMs(given, 2, 1e12, exchangeMs({ ranks: 2, numbers, exchange: "int8", form: "direct" }, line));
  };
  const stagesMs = (given: typeof step, { latencyMs, bytesPerSecond }: LineShape): number => {
    const sendMs = (1_000 * given.numbers * BYTES_PER_NUMBER.int8) / bytesPerSecond;
    return pipelineStepMs(
      [550, 550],
      [{ forwardMs: sendMs, backwardMs: sendMs, latencyMs } satisfies Hop],
      given.microbatches,
    );
  };

  test("over a line that costs nothing both share the work: tensor parts compute the head twice, stages wait for the first microbatch", () => {
    const free = { latencyMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY };
    expect(aloneStepMs(step, 1e12)).toBe(8_800);
    expect(tensorMs(step, free)).toBeCloseTo(8 * 600, 6);
    expect(stagesMs(step, free)).toBeCloseTo(9 * 550, 6);
  });

  test("a cable is for tensor parts, two homes are for stages, and few microbatches are not for stages", () => {
    expect(tensorMs(step, cable)).toBeLessThan(stagesMs(step, cable));
    expect(tensorMs(step, homes)).toBeGreaterThan(8 * stagesMs(step, homes));
    const few = { ...step, microbatches: 2 };
    expect(stagesMs(few, cable)).toBeGreaterThan(1.3 * tensorMs(few, cable));
  });

  test("one microbatch more than pairs waits for each of its sums", () => {
    const odd = { ...step, microbatches: 3 };
    expect(tensorMs(odd, homes) - tensorMs({ ...step, microbatches: 2 }, homes)).toBeCloseTo(600 + 40 * 445, 6);
  });
});
