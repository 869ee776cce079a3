// Web Locks exist in browsers only.

import { expect, test } from "vitest";
import { SLOTS_MAX } from "#wire";
import { takeSlot } from "./slots.ts";

const volunteer = (name: string) => `${name}-${performance.timeOrigin}`;

test("tabs get slots in order, and a freed one is the next tab's", async () => {
  const mine = volunteer("order");
  const [first, second] = [await takeSlot(mine, null), await takeSlot(mine, null)];
  expect([first?.slot, second?.slot]).toEqual([0, 1]);
  await first?.release();
  expect((await takeSlot(mine, null))?.slot).toBe(0);
});

test("a reload waits for its own slot, which the old page frees a moment later", async () => {
  const mine = volunteer("reload");
  await takeSlot(mine, null);
  const old = await takeSlot(mine, null);
  const reloaded = takeSlot(mine, 1);
  await old?.release();
  expect((await reloaded)?.slot).toBe(1);
});

test("a duplicated tab does not get its original's slot", async () => {
  const mine = volunteer("duplicate");
  await takeSlot(mine, 0);
  expect((await takeSlot(mine, 0))?.slot).toBe(1);
});

test("beyond the last slot there is none", async () => {
  const mine = volunteer("full");
  for (let slot = 0; slot < SLOTS_MAX; slot++) await takeSlot(mine, null);
  expect(await takeSlot(mine, null)).toBeUndefined();
});
