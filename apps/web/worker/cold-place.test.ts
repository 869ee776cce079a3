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
        if (full) throw Object.assign(new Error("no space left on device"), { name: "ENOSPC" });
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
  expect(() => second.write(4, bytes)).toThrow(new ColdStoreError("ENOSPC: no space left on device"));
  await expect(open(8)).rejects.toThrow("ENOSPC: no space left on device");
  expect(opened).toBe(2);
});

test("where none can be opened the reason is said, and the next one is tried", async () => {
  const reasons = [
    new ColdStoreError("this browser keeps no files here"),
    new DOMException("It would exceed the quota", "QuotaExceededError"),
  ];
  const open = untilItFails(() => Promise.reject(reasons.shift()));
  await expect(open(8)).rejects.toThrow(/^this browser keeps no files here$/);
  await expect(open(8)).rejects.toThrow(/^the browser gives this site no more room on the disk$/);
});
