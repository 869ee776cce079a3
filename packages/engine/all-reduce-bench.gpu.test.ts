import { expect, test } from "vitest";
import { measureAllReduce } from "./all-reduce-bench.ts";

test("one kernel for the end of an all-reduce moves a third of the bytes at most, in one dispatch", async () => {
  const { forward, backward } = await measureAllReduce({ rows: 64, C: 128, shards: 3, rounds: 3 });
  for (const { fused, apart } of [forward, backward]) {
    expect(fused.dispatches).toBe(1);
    expect(apart.dispatches).toBeGreaterThan(6);
    expect(fused.bytes).toBeLessThan(apart.bytes / 3);
    expect(fused.ms).toBeGreaterThan(0); // `npm run bench -- all-reduce` says how much faster it is, on a machine that does nothing else
  }
  const floats = 64 * 128;
  expect(forward.fused.bytes).toBeCloseTo(3 * (floats + floats / 16) + 4 * (4 * floats + 128 + 64), 0); // shards; own, residual in and out, y; gamma, rstd
});
