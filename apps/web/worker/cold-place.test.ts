// A place for moments that fails once is not asked again.
import { expect, test } from "vitest";
import { ColdStoreError, untilItFails } from "./cold-place.ts";

const bytes = new Uint8Array(4);

test("a store is opened again and again, and not once one of them has failed", async () => {
  let opened = 0;
  let full = false;
  const open = untilItFails(async () => {
    opened++;
    return {
      read: () => {},
      write: () => {
        if (full) throw new DOMException("no space is left", "QuotaExceededError");
      },
      close: () => {},
    };
  });
  const first = await open(8);
  first.read(0, bytes);
  first.write(0, bytes);
  first.close();
  const second = await open(8);
  full = true;
  expect(() => second.write(4, bytes)).toThrow(new ColdStoreError("QuotaExceededError: no space is left"));
  await expect(open(8)).rejects.toThrow("QuotaExceededError: no space is left");
  expect(opened).toBe(2);
});

test("where none can be opened the reason is said, and the next one is tried", async () => {
  let tries = 0;
  const open = untilItFails(async () => {
    tries++;
    throw new ColdStoreError("this browser keeps no files here");
  });
  for (const _ of [1, 2]) await expect(open(8)).rejects.toThrow(/^this browser keeps no files here$/);
  expect(tries).toBe(2);
});
