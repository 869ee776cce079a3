import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openColdFile, removeLeft } from "./cold-file.ts";

const folder = mkdtempSync(join(tmpdir(), "gossamer-cold-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("what was written is read again, and the file goes with its store", () => {
  const path = join(folder, "slot-0.moments-0");
  const store = openColdFile(path, 3000);
  expect(statSync(path).size).toBe(3000);
  const block = Uint8Array.from({ length: 1000 }, (_, i) => i);
  store.write(2000, block);
  const back = new Uint8Array(1000);
  store.read(2000, back);
  expect(back).toEqual(block);
  expect(() => store.read(2500, back)).toThrow("the file took or gave 500 bytes of 1000");
  store.close();
  expect(existsSync(path)).toBe(false);
});

test("what a killed process has left in this slot is removed, and nothing else", async () => {
  for (const name of ["slot-1.moments-7", "slot-1.settings", "slot-10.moments-0"])
    writeFileSync(join(folder, name), "");
  await removeLeft(join(folder, "slot-1.moments-"));
  expect(readdirSync(folder).sort()).toEqual(["slot-1.settings", "slot-10.moments-0"]);
});
