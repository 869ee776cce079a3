// An adapter that computes rightly is found so, and one that does not is named by the kernel that is wrong.
import { afterEach, expect, test, vi } from "vitest";
import { ChunkTopK, parameterTable } from "#outer";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { DeviceLostError } from "./errors.ts";
import { tinyModel } from "./reference/testing.ts";

afterEach(() => vi.restoreAllMocks());

const model = tinyModel({ dModel: 24, heads: 3, kvHeads: 1 });
const codec = new ChunkTopK(parameterTable(model), { chunk: 1024, k: 16, feedback: 0.9 });
/** With every kernel that there is, but for the other kind of moments. */
const anEngine = (moments: "f32" | "8bit" = "f32") =>
  createWebGpuEngine({ model, microbatch: 1, keepsMark: true, codec, moments });

test("the adapter at hand computes rightly, and one that goes meanwhile is a lost device, not a wrong one", async () => {
  const engine = await anEngine();
  const { checks, failed, adapter } = await engine.conformance();
  expect(failed).toEqual([]);
  expect(checks).toBeGreaterThan(25);
  expect(adapter).toBe(engine.adapter);
  const again = engine.conformance();
  engine.destroy();
  await expect(again).rejects.toBeInstanceOf(DeviceLostError);
});

/** Each as a driver might get it wrong: a sign, another one, a lane that is off by one, a dropped term. */
const faults: Readonly<Record<string, readonly [right: string, wrong: string]>> = {
  rope: ["shape.direction", "(-shape.direction)"],
  "swiglu-backward": ["1.0 -", "1.0 +"],
  "cross-entropy": ["highest = higher", "highest = x"],
  adamw: ["step.weightDecay, i <", "step.weightDecay, i <= "],
  "encode-int8": ["return mark[i] - own[i]", "return own[i] - mark[i]"],
  "mark-rebase": ["anchor + mark[i]", "anchor - mark[i]"],
  "feedback-encode": ["owed[i] +", "owed[i] -"],
  "select-top-k": ["chunk.w + at.x", "chunk.w + 1u + at.x"],
};

async function kernelsFoundWrong(
  faults: Readonly<Record<string, readonly [right: string, wrong: string]>>,
  moments?: "8bit",
): Promise<string[]> {
  const create = GPUDevice.prototype.createShaderModule;
  const spy = vi.spyOn(GPUDevice.prototype, "createShaderModule").mockImplementation(function (
    this: GPUDevice,
    descriptor,
  ) {
    const fault = faults[descriptor.label ?? ""];
    if (!fault) return create.call(this, descriptor);
    expect(descriptor.code).toContain(fault[0]);
    return create.call(this, { ...descriptor, code: descriptor.code.replaceAll(...fault) });
  });
  const engine = await anEngine(moments);
  const { failed } = await engine.conformance();
  engine.destroy();
  spy.mockRestore();
  return [...new Set(failed.map(({ kernel }) => kernel))].sort();
}

test("kernels that come out wrong are found, and no others", async () => {
  expect(await kernelsFoundWrong(faults)).toEqual(Object.keys(faults).sort());
});

test("moments in 8 bits: their kernel is right here, and found where it is not", async () => {
  expect(await kernelsFoundWrong({}, "8bit")).toEqual([]);
  expect(await kernelsFoundWrong({ "adamw-8bit": ["select(size, -size,", "select(size, size,"] }, "8bit")).toEqual([
    "adamw-8bit",
  ]);
});
