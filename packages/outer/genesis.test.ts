import { expect, test } from "vitest";
import { hashHex } from "#wire";
import { genesisParameters, genesisState, parameterTable } from "./index.ts";
import { tinySpec } from "./test-given.ts";

const model = { ...tinySpec().model, vocabSize: 256, dModel: 64, layers: 2, kvHeads: 2, dFfn: 172, contextLength: 64 };
const statistics = (values: Float32Array) => {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const moment = (k: number) => values.reduce((sum, v) => sum + (v - mean) ** k, 0) / values.length;
  return { mean, std: Math.sqrt(moment(2)), kurtosis: moment(4) / moment(2) ** 2 };
};

test("the bits are golden, agreed with an independent Python version: every engine and every version makes this genesis", () => {
  const flat = genesisParameters(model, 1);
  expect(hashHex(new Uint8Array(flat.buffer))).toBe("81b061c449ce5eb790cb323d2e70acc9b77a18fdb101a9ad9a4d05d70393691f");
  expect([...flat.subarray(0, 3)]).toEqual([0.046035390347242355, -0.032165996730327606, -0.010758752934634686]);
});

test("norm weights are 1, embeddings are about normal with std 0.05, matrices 0.02, residual outputs 1/sqrt(2L) of it", () => {
  const flat = genesisParameters(model, 7);
  for (const { name, offset, length } of parameterTable(model).tensors) {
    const values = flat.subarray(offset, offset + length);
    if (name.endsWith("norm.weight")) {
      expect(values.every((v) => v === 1)).toBe(true);
      continue;
    }
    const std = name.includes("embed") ? 0.05 : /(o_proj|down_proj)/.test(name) ? 0.01 : 0.02; // L = 2
    const seen = statistics(values);
    expect(Math.abs(seen.mean)).toBeLessThan((5 * std) / Math.sqrt(length));
    expect(seen.std / std).toBeCloseTo(1, 1);
    expect(seen.kurtosis).toBeGreaterThan(2.4); // a normal has 3, the sum of 8 uniforms 2.85, one uniform 1.8
    expect(seen.kurtosis).toBeLessThan(3.3);
  }
});

test("another seed is another model, and neighbours do not correlate", () => {
  const a = genesisParameters(model, 1);
  const b = genesisParameters(model, 2);
  const { tensors } = parameterTable(model);
  const { offset, length } = tensors.find((t) => t.name === "model.embed_tokens.weight")!;
  let across = 0;
  let along = 0;
  for (let i = offset; i < offset + length - 1; i++) {
    across += a[i] * b[i];
    along += a[i] * a[i + 1];
  }
  const noiseFloor = 4 * 0.02 ** 2 * Math.sqrt(length);
  expect(Math.abs(across)).toBeLessThan(noiseFloor);
  expect(Math.abs(along)).toBeLessThan(noiseFloor);
});

test("the genesis state has no velocity", () => {
  const { parameters, velocity } = genesisState(tinySpec());
  expect(velocity).toEqual(new Float32Array(parameters.length));
});
