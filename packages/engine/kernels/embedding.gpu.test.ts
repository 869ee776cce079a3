import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  embeddingBackward as referenceBackward,
  embeddingForward as referenceForward,
  relativeError,
} from "../reference/index.ts";
import { normals, prng, randomIds } from "../reference/testing.ts";
import { embeddingBackward, embeddingForward, groupOccurrences } from "./embedding.ts";
import { DEVICES, f32, KernelRunner, unwritten } from "./testing.ts";

describe.each(DEVICES)("embedding on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  test.each([
    { N: 1, V: 1, C: 4 },
    { N: 7, V: 3, C: 20 },
    { N: 130, V: 5, C: 68 }, // each id many times
    { N: 66, V: 1000, C: 260 }, // most ids never
  ])("N=$N V=$V C=$C", async (shape) => {
    const { N, V, C } = shape;
    const random = prng(N);
    const ids = Uint32Array.from(randomIds(random, N, V));
    const weight = f32(normals(random, V * C));
    const { y } = await runner.run(embeddingForward, { rows: N, C }, { ids, weight, y: unwritten(N * C) });
    expect(y).toEqual(referenceForward({ ids, weight }, shape));

    const dy = f32(normals(random, N * C));
    const before = f32(normals(random, V * C));
    const given = { occurrences: groupOccurrences(ids, V), dy, dweight: before };
    const { dweight } = await runner.run(embeddingBackward, { rows: N, C }, given);
    const truth = referenceBackward({ ids, dx: dy }, shape);
    expect(
      relativeError(
        dweight,
        truth.map((g, i) => g + before[i]),
      ),
    ).toBeLessThan(1e-6);
    const again = await runner.run(embeddingBackward, { rows: N, C }, given);
    expect(again.dweight).toEqual(dweight); // the same bits: no atomics, one order
  });
});
