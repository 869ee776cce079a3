import { expect, test } from "vitest";
import { DiskRoom } from "./disk-room.ts";

test("the operator hears of a disk that is nearly full once in ten minutes, and when there is room again", async () => {
  const said: string[] = [];
  let [free, now] = [1e9, 0];
  const room = new DiskRoom({ freeBytes: async () => free, now: () => now, report: (line) => said.push(line) });
  expect(await room.isThere()).toBe(true);
  free = 1e8;
  expect([await room.isThere(), await room.isThere()]).toEqual([false, false]);
  expect(said).toEqual([expect.stringContaining("Make room; it goes on by itself")]);
  now += 10 * 60_000;
  await room.isThere();
  expect(said).toHaveLength(2);
  free = 1e9;
  expect([await room.isThere(), await room.isThere()]).toEqual([true, true]);
  expect(said.slice(2)).toEqual([expect.stringContaining("room on the disk again")]);
});
