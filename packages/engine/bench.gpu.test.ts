import { expect, test } from "vitest";
import { measureEngine } from "./bench.ts";
import { tinyModel } from "./reference/testing.ts";

test("the bench measures a step that learns, beside each form of matmul", async () => {
  const report = await measureEngine({ model: tinyModel(), microbatch: 2, steps: 6, profile: true });
  expect(Object.keys(report.matmuls)).toEqual(["matmul-nt", "matmul-nn", "matmul-tn"]);
  expect(report.matmulFlopsPerSecond).toBe(Math.max(...Object.values(report.matmuls)));
  expect(report.efficiency).toBeCloseTo(report.modelFlopsPerSecond / report.matmulFlopsPerSecond, 9);
  expect(report.lastLoss).toBeLessThan(report.firstLoss);
  const { adamw, "matmul-nt": products } = report.kernels!;
  expect(adamw.ms).toBeGreaterThan(0);
  expect(adamw.bytes).toBeGreaterThanOrEqual(4 * 4 * report.parameters); // parameters, gradient and both moments
  expect(products.flops).toBeGreaterThan(0.5 * (report.modelFlopsPerStep / 3)); // the forward pass, but for attention
});
