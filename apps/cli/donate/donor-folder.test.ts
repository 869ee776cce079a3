import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DataError } from "#store/disk";
import { openDonorFolder } from "./donor-folder.ts";

const fresh = () => mkdtemp(join(tmpdir(), "gossamer-donor-"));

test("processes of one folder have one key and a slot each; a slot that is given back is free again", async () => {
  const path = await fresh();
  const [one, two] = [await openDonorFolder(path), await openDonorFolder(path)];
  expect([one.slot, two.slot, one.shared, two.shared]).toEqual([0, 1, false, true]);
  const seeds = await Promise.all([one.identitySeed(), two.identitySeed()]);
  expect(seeds[0]).toEqual(seeds[1]);
  expect((await stat(join(path, "identity.key"))).mode & 0o777).toBe(0o600);
  await one.close();
  const three = await openDonorFolder(path);
  expect(three.slot).toBe(0);
  expect(await three.identitySeed()).toEqual(seeds[0]);
  expect((await openDonorFolder(path, 8)).slot).toBe(8);
  await expect(openDonorFolder(path, 8)).rejects.toThrow(/slot 8 .* already/);
});

test("all slots taken, a folder of something else, of another version, a damaged key: each is refused by name", async () => {
  const path = await fresh();
  for (let slot = 0; slot < 16; slot++) await openDonorFolder(path);
  await expect(openDonorFolder(path)).rejects.toThrow("no more slots");

  const other = await fresh();
  await writeFile(join(other, "version.json"), '{"format":"gossamer data","version":1}');
  await expect(openDonorFolder(other)).rejects.toThrow("another use");
  const newer = await fresh();
  await writeFile(join(newer, "version.json"), '{"format":"gossamer donor","version":2}');
  await expect(openDonorFolder(newer)).rejects.toThrow("has version 2; this build reads 1");

  const damaged = await fresh();
  const folder = await openDonorFolder(damaged);
  await folder.identitySeed();
  await writeFile(join(damaged, "identity.key"), "nonsense");
  await expect(folder.identitySeed()).rejects.toBeInstanceOf(DataError);
  expect(await readFile(join(damaged, "identity.key"), "utf8")).toBe("nonsense"); // a key is never overwritten
});
