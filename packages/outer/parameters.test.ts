import { expect, test } from "vitest";
import { presets } from "#wire";
import { parameterTable } from "./index.ts";

test("the table covers the flat vector without gaps, in name order", () => {
  const { tensors, length } = parameterTable({ ...presets.nano.model, layers: 11, kvHeads: 1, tiedEmbedding: false });
  let offset = 0;
  for (const tensor of tensors) {
    expect(tensor.offset).toBe(offset);
    expect(tensor.length).toBe(tensor.shape.reduce((product, size) => product * size, 1));
    offset += tensor.length;
  }
  expect(length).toBe(offset);
  const names = tensors.map(({ name }) => name);
  expect(names).toEqual([...names].sort());
  expect(names.indexOf("model.layers.10.input_layernorm.weight")).toBeLessThan(
    names.indexOf("model.layers.2.input_layernorm.weight"),
  );
  expect(names).toContain("lm_head.weight");
});

test("the presets have the sizes that they say", () => {
  expect(parameterTable(presets.nano.model).length).toBe(115_520);
  const micro = parameterTable(presets.micro.model).length;
  expect(micro).toBeGreaterThan(1e6);
  expect(micro).toBeLessThan(3e6);
});
