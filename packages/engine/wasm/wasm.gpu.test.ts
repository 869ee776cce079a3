// The engine on WASM in a browser: alone, in threads that share memory, with relaxed SIMD; and the choice between it and a software adapter.
import { describe, expect, test } from "vitest";
import { measureEngine } from "../bench.ts";
import { learningContract } from "../engine-contract.ts";
import { fastestBackend } from "../fastest.ts";
import { createEngine } from "../index.ts";
import { tinyModel } from "../reference/testing.ts";
import { findCpu } from "./cpu.ts";
import { createWasmEngine } from "./wasm-engine.ts";

test("a page like ours is isolated, so its threads share memory, with relaxed SIMD", () => {
  expect(crossOriginIsolated).toBe(true);
  expect(findCpu()).toMatchObject({ relaxed: true, threads: expect.any(Number) });
});

describe.each([
  { threads: 1, relaxed: true },
  { threads: 2, relaxed: true },
  { threads: 2, relaxed: false },
])("threads $threads, relaxed $relaxed", (given) => {
  learningContract((options) => createWasmEngine({ ...options, ...given }));
});

test("the choice is named, and destroying an engine ends its threads", async () => {
  const engine = await createEngine({ model: tinyModel(), microbatch: 1, backend: "wasm", threads: 2 });
  expect(engine.adapter).toMatchObject({ backend: "wasm", description: "2 threads, relaxed SIMD", isFallback: true });
  const report = await engine.conformance();
  expect(report.failed).toEqual([]);
  engine.destroy();
  expect(await engine.lost).toMatchObject({ reason: "destroyed" });
});

test("the bench measures it, beside each form of matmul", async () => {
  const report = await measureEngine({ model: tinyModel(), microbatch: 2, steps: 6, backend: "wasm" });
  expect(Object.keys(report.matmuls)).toEqual(["matmul-nt", "matmul-nn", "matmul-tn"]);
  expect(report.adapter.backend).toBe("wasm");
  expect(report.lastLoss).toBeLessThan(report.firstLoss);
});

test("the faster backend is found by measuring both", async () => {
  const { backend, wasmMs, webgpuMs } = await fastestBackend();
  expect(wasmMs).toBeGreaterThan(0);
  expect(backend).toBe(webgpuMs === undefined || wasmMs! < webgpuMs ? "wasm" : "webgpu");
  console.info(`a step takes ${wasmMs?.toFixed(1)} ms on WASM, ${webgpuMs?.toFixed(1)} ms on WebGPU`);
});
