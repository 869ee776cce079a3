import { expect, test } from "vitest";
import { measureDevice } from "./device-bench.ts";

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
