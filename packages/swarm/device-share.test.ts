import { describe, expect, test } from "vitest";
import { windowsForDevice } from "./device-share.ts";
import { finishMarginMs, Pace } from "./timing.ts";

const steps = 20;
const windowsPerStep = 8;
const deadlineMinMs = 5_000;
const deadlineMaxMs = 60_000;
const given = { windowsPerStep, windows: 8, windowMs: 100, steps, leftMs: deadlineMaxMs };

describe("windows per step", () => {
  test.each([
    ["a fast device takes all", { windowMs: 10 }, 8],
    ["never more than the assignment", { windowMs: 0.001 }, 8],
    ["half the speed, half the share: 70 % of the time is filled", { windowMs: 500 }, 4],
    ["never none, however slow", { windowMs: 1e9 }, 1],
    ["no time left is no reason for none", { leftMs: 0 }, 1],
    ["85 % full: kept", { windows: 4, windowMs: 600 }, 4],
    ["fuller: less", { windows: 4, windowMs: 650 }, 3],
    ["a little more would fit: kept", { windows: 4, windowMs: 430 }, 4],
    ["a quarter more would fit: more", { windows: 4, windowMs: 400 }, 5],
    ["no measurement: kept", { windows: 4, windowMs: 0 }, 4],
    ["nothing left to do: kept", { windows: 4, windowMs: 1e9, steps: 0 }, 4],
  ])("%s", (_, change, expected) => {
    expect(windowsForDevice({ ...given, ...change })).toBe(expected);
  });
});

describe("[R8] shares and deadlines do not pull each other down", () => {
  /** Rounds of a swarm whose deadlines follow its rounds and whose shares follow its deadlines. */
  function settle(windowMs: readonly number[], rounds = 60) {
    const pace = new Pace();
    const roster = windowMs.map((_, i) => `peer-${i}`);
    const windows = windowMs.map(() => windowsPerStep);
    const stepsDone = windowMs.map(() => 0);
    let deadlineMs = deadlineMaxMs;
    for (let round = 0; round < rounds; round++) {
      deadlineMs = pace.deadlineMs(roster, new Map(), deadlineMinMs, deadlineMaxMs);
      const finishAt = deadlineMs - finishMarginMs(deadlineMs);
      for (const [i, ms] of windowMs.entries()) {
        windows[i] = windowsForDevice({ windowsPerStep, windows: windows[i], windowMs: ms, steps, leftMs: deadlineMs });
        const stepMs = windows[i] * ms;
        stepsDone[i] = Math.min(steps, Math.ceil(finishAt / stepMs));
        pace.record(roster[i], steps * stepMs);
      }
    }
    return { windows, stepsDone, deadlineMs };
  }

  test.each([
    ["alike and fast", [20, 20, 20, 20]],
    ["alike and slow", [400, 400, 400]],
    ["one alone, slow", [600]],
    ["one fast, one slow", [50, 200]],
    ["one far too slow", [20, 20, 20, 2_000]],
    ["all different", [10, 30, 90, 270]],
  ])("%s", (_, windowMs) => {
    const { windows, stepsDone, deadlineMs } = settle(windowMs);
    for (const [i, ms] of windowMs.entries()) {
      const alone = Math.min(windowsPerStep, Math.max(1, Math.floor((0.7 * deadlineMs) / (steps * ms))));
      expect(windows[i]).toBeGreaterThanOrEqual(Math.floor(alone / 1.25)); // what the deadline allows, but for hysteresis
    }
    // Whoever can take one window a step within the deadline does all H steps.
    for (const [i, ms] of windowMs.entries()) if (steps * ms < 0.8 * deadlineMs) expect(stepsDone[i]).toBe(steps);
    // Devices of the middle keep the share that the spec's own maximum would give them: deadlines never shrank under them.
    const middle = [...windowMs].sort((a, b) => a - b)[(windowMs.length - 1) >> 1];
    const most = Math.min(windowsPerStep, Math.floor((0.7 * deadlineMaxMs) / (steps * middle)));
    expect(windows[windowMs.indexOf(middle)]).toBeGreaterThanOrEqual(Math.floor(most / 1.25));
  });
});
