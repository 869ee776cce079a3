import { expect, test } from "vitest";
import { presets } from "#wire";
import { measureDevice } from "./device-bench.ts";
import { productSpeed } from "./island/speed.ts";

test("the device's bench gives a speed for each form of matmul, for the copy and for each kernel beside it", async () => {
  const { adapter, matmulSize, flopsPerSecondByForm, copyBytesPerSecond, bytesPerSecondByKernel } = await measureDevice(
    {
      matmulSize: 64,
      bufferBytes: 2 ** 18,
    },
  );
  expect(adapter.backend).toBe("webgpu");
  expect(matmulSize).toBe(64);
  expect(Object.keys(flopsPerSecondByForm)).toEqual(["matmul-nt", "matmul-nn", "matmul-tn"]);
  expect(Object.keys(bytesPerSecondByKernel)).toEqual([
    ...["adamw", "squares", "rmsnorm-forward", "rmsnorm-backward", "swiglu-forward", "swiglu-backward"],
  ]);
  const speeds = [copyBytesPerSecond, ...Object.values(flopsPerSecondByForm), ...Object.values(bytesPerSecondByKernel)];
  for (const speed of speeds) {
    expect(speed).toBeGreaterThan(0);
    expect(speed).toBeLessThan(1e15); // a kernel that does not run at all would seem to be faster
  }
});

test("products as wide as a model's have a speed", async () => {
  const speed = await productSpeed(presets.nano.model);
  expect(speed).toBeGreaterThan(1e7);
  expect(speed).toBeLessThan(1e15);
});
