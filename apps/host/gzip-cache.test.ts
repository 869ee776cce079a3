import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { GzipCache } from "./gzip-cache.ts";

const blob = (fill: number) => new Uint8Array(10_000).map((_, i) => (i % 2 === 0 ? fill : 0));

function cacheGiven(bytesMax?: number) {
  const reads: string[] = [];
  const cache = new GzipCache(async (name) => {
    reads.push(name);
    if (name === "broken") throw new Error("disk");
    return name === "missing" ? undefined : blob(name.length);
  }, bytesMax);
  return { reads, cache };
}

test("packs once, also for several that ask at once, and the bytes come back as they were", async () => {
  const { reads, cache } = cacheGiven();
  const [first, second] = await Promise.all([cache.get("a"), cache.get("a")]);
  expect(second).toBe(first);
  expect(await cache.get("a")).toBe(first);
  expect(new Uint8Array(gunzipSync(first!))).toEqual(blob(1));
  expect(reads).toEqual(["a"]);
});

test("what is missing or cannot be read is asked for again", async () => {
  const { reads, cache } = cacheGiven();
  expect(await cache.get("missing")).toBeUndefined();
  expect(await cache.get("missing")).toBeUndefined();
  await expect(cache.get("broken")).rejects.toThrow("disk");
  await expect(cache.get("broken")).rejects.toThrow("disk");
  expect(reads).toEqual(["missing", "missing", "broken", "broken"]);
});

test("keeps what fits, and of that what was asked for last", async () => {
  const size = (await cacheGiven().cache.get("a"))!.length;
  const { reads, cache } = cacheGiven(2 * size + 10);
  for (const name of ["a", "bb", "a", "ccc", "a", "bb"]) await cache.get(name);
  expect(reads).toEqual(["a", "bb", "ccc", "bb"]);
});
