import { expect, test } from "vitest";
import { parameterTable } from "#outer";
import { ALIGN_FLOATS } from "../device/plan.ts";
import { tinyModel } from "../reference/testing.ts";
import { layoutOf, takeFromEngine, toEngine } from "./layout.ts";

test.each([true, false])(
  "every parameter has one aligned place, and comes back from it (tied: %s)",
  (tiedEmbedding) => {
    const model = tinyModel({ tiedEmbedding, vocabSize: 13, layers: 3 });
    const layout = layoutOf(model);
    const { length } = parameterTable(model);
    const flat = Float32Array.from({ length }, (_, i) => i + 1); // never zero
    const own = toEngine(layout, flat);
    expect(own.filter((x) => x !== 0).length).toBe(length); // no two places overlap
    for (const pieceFloats of [own.length, 100, 7]) {
      const back = new Float32Array(length);
      for (let from = 0; from < own.length; from += pieceFloats)
        takeFromEngine(layout, own.subarray(from, from + pieceFloats), from, back);
      expect(back).toEqual(flat);
    }
    const ranges = [layout.embed, layout.head, layout.norms, ...layout.layers.flatMap((l) => Object.values(l))];
    expect(ranges.every(({ offset }) => offset % ALIGN_FLOATS === 0)).toBe(true);
  },
);

test("matrices come before the norms: only they decay", () => {
  const model = tinyModel();
  const layout = layoutOf(model);
  for (const [i, { shape }] of parameterTable(model).tensors.entries()) {
    expect(layout.places[i].to < layout.matrices).toBe(shape.length === 2);
  }
});
