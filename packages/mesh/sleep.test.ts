import { expect, test } from "vitest";
import { SleepWatch } from "./sleep.ts";

function given() {
  const clocks = { monotonic: 0, wall: 1e12 };
  const watch = new SleepWatch(
    () => clocks.monotonic,
    () => clocks.wall,
  );
  const after = (monotonicMs: number, wallMs = monotonicMs) => {
    clocks.monotonic += monotonicMs;
    clocks.wall += wallMs;
    return watch.tick();
  };
  return after;
}

test("[R45] a night of sleep is one event, whether the monotonic clock stood still or not", () => {
  const after = given();
  expect([after(500), after(8 * 3_600_000), after(500), after(500)]).toEqual([0, 8 * 3_600_000, 0, 0]);
  expect([after(0, 8 * 3_600_000), after(500), after(500)]).toEqual([8 * 3_600_000, 0, 0]);
});

test("[R45] a busy second is no sleep, nor a wall clock that is set back", () => {
  const after = given();
  expect([after(3_999), after(500, -3_600_000), after(1_000)]).toEqual([0, 0, 0]);
});
