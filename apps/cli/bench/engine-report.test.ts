import { expect, test } from "vitest";
import { presets } from "#wire";
import { type BenchReport, engineLines } from "./engine-report.ts";

const adapter = { backend: "webgpu", vendor: "a", architecture: "b", description: "c", isFallback: false } as const;
const report: BenchReport = {
  ...{ shape: "nano", steps: 1, runtime: "here", adapter, model: presets.nano.model, microbatch: 8, parameters: 1 },
  precision: "f32",
  ...{ allocatedBytes: 1, dispatchesPerStep: 1, firstLossMs: 1, stepMs: 10, tokensPerSecond: 1, modelFlopsPerStep: 1 },
  ...{ modelFlopsPerSecond: 1, matmulFlopsPerSecond: 4e9, matmuls: {}, efficiency: 1, firstLoss: 5, lastLoss: 4 },
  conformance: { version: 1, adapter, checks: 1, failed: [], ms: 1 },
  kernels: {
    adamw: { ms: 2, flops: 0, bytes: 4e6 },
    "matmul-nt": { ms: 5, flops: 1e7, bytes: 1e6 }, // 2.5 ms at the device's best
  },
};
const device: NonNullable<BenchReport["device"]> = {
  ...{ adapter, matmulSize: 64, flopsPerSecondByForm: { "matmul-nt": 3e9 }, bufferBytes: 2 ** 20 },
  ...{ copyBytesPerSecond: 4e9, bytesPerSecondByKernel: {} }, // adamw's bytes take 1 ms
};
const kernels = (changed: Partial<BenchReport>) =>
  engineLines({ ...report, ...changed }).filter((line) => /^ {2}(adamw|matmul-nt) /.test(line));

test("kernels by time, each with what it computes and moves, as a part of the roofline that was measured", () => {
  expect(kernels({ device })).toEqual([
    "  matmul-nt                  5.00 ms     2.00 GFLOP/s     0.20 GB/s,  50 % of the roofline",
    "  adamw                      2.00 ms                –     2.00 GB/s,  50 % of the roofline",
  ]);
});

test("without a measured copy a kernel that only moves memory has no roofline", () => {
  expect(kernels({})).toEqual([
    "  matmul-nt                  5.00 ms     2.00 GFLOP/s     0.20 GB/s,  50 % of the roofline",
    "  adamw                      2.00 ms                –     2.00 GB/s",
  ]);
});
