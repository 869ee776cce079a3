import { expect, test } from "vitest";
import { parameterTable } from "#outer";
import { tinyModel } from "../reference/testing.ts";
import { joinStages, stagePart, stageShape } from "./stages.ts";

test.each([true, false])(
  "every number is in one stage, a tied embedding (%s) in the first and the last, and comes back",
  (tiedEmbedding) => {
    const model = tinyModel({ layers: 5, tiedEmbedding });
    const plan = { kind: "pipeline", layers: [1, 3, 1], exchange: "f32" } as const;
    const flat = Float32Array.from({ length: parameterTable(model).length }, (_, i) => i + 1);
    const parts = [0, 1, 2].map((rank) => stagePart(model, plan, rank, flat));
    expect(joinStages(model, plan, parts)).toEqual(flat);
    const embedding = model.vocabSize * model.dModel;
    expect(parts.reduce((sum, { length }) => sum + length, 0)).toBe(flat.length + (tiedEmbedding ? embedding : 0));
    expect(
      parameterTable(stageShape(model, plan, 1)).tensors.every(({ name }) => name.startsWith("model.layers.")),
    ).toBe(true);
    expect(() => stageShape(model, { ...plan, layers: [2, 2] }, 0)).toThrow(
      "stages of 2 + 2 layers are not the model's 5",
    );
    expect(() => stageShape({ ...model, residual: "ladder" }, plan, 0)).toThrow("a stage hands on one residual stream");
  },
);
