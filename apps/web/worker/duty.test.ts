import { expect, test } from "vitest";
import { DUTY_MIN } from "../controls/settings.ts";
import { Duty } from "./duty.ts";

/** A clock that stands, and timers that ring when it is set. */
function setUp() {
  let nowMs = 0;
  const timers = new Map<() => void, number>();
  const duty = new Duty({
    now: () => nowMs,
    after: (ms, run) => {
      timers.set(run, nowMs + ms);
      return () => void timers.delete(run);
    },
  });
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    for (const [run, at] of timers)
      if (at <= nowMs) {
        timers.delete(run);
        run();
      }
    await Promise.resolve();
    await Promise.resolve();
  };
  const resting = (stopped = () => false) => {
    const state = { over: false };
    void duty.rest(stopped).then(() => {
      state.over = true;
    });
    return state;
  };
  return { duty, pass, resting, timers };
}

test("all of the time is no rest at all", async () => {
  const { duty, pass, resting, timers } = setUp();
  duty.worked(100);
  const rest = resting();
  await pass(0);
  expect([rest.over, timers.size]).toEqual([true, 0]);
});

test("half of the time is as long a rest as the step was, and what passed since counts", async () => {
  const { duty, pass, resting } = setUp();
  duty.share = 0.5;
  duty.worked(100);
  await pass(40);
  const rest = resting();
  await pass(59);
  expect(rest.over).toBe(false);
  await pass(1);
  expect(rest.over).toBe(true);
});

test("a tenth is the least, and a step that hung is not rested for hours", async () => {
  const { duty, pass, resting } = setUp();
  duty.share = 0;
  expect(duty.share).toBe(DUTY_MIN);
  duty.worked(3_600_000);
  const rest = resting();
  await pass(29_999);
  expect(rest.over).toBe(false);
  await pass(1);
  expect(rest.over).toBe(true);
});

test("who allows more while it rests shortens the rest, who stops ends it", async () => {
  const { duty, pass, resting, timers } = setUp();
  duty.share = 0.1;
  duty.worked(100);
  const first = resting();
  await pass(100);
  expect(first.over).toBe(false);
  duty.share = 0.5;
  await pass(0);
  expect(first.over).toBe(true);

  duty.share = 0.1;
  duty.worked(100);
  let stop = false;
  const second = resting(() => stop);
  await pass(1);
  expect(second.over).toBe(false);
  stop = true;
  duty.wake();
  await pass(0);
  expect([second.over, timers.size]).toEqual([true, 0]);
});
