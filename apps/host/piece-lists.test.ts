import { expect, test } from "vitest";
import { PieceLists } from "./piece-lists.ts";

function listsGiven(bytesMax?: number) {
  const made: string[] = [];
  const lists = new PieceLists(async (name) => {
    made.push(name);
    if (name === "missing") throw new Error("no such blob");
    return new Uint8Array(48).fill(name.length);
  }, bytesMax);
  return { lists, made };
}

test("a list is made once, also for several that ask at once", async () => {
  const { lists, made } = listsGiven();
  const [first, second] = await Promise.all([lists.get("a"), lists.get("a")]);
  expect(second).toBe(first);
  expect(await lists.get("a")).toBe(first);
  expect(made).toEqual(["a"]);
});

test("a failure is not kept, and of the lists those stay that were asked for last", async () => {
  const { lists, made } = listsGiven(100);
  await expect(lists.get("missing")).rejects.toThrow("no such blob");
  await expect(lists.get("missing")).rejects.toThrow("no such blob");
  for (const name of ["a", "bb", "a", "ccc", "a", "bb"]) await lists.get(name);
  expect(made).toEqual(["missing", "missing", "a", "bb", "ccc", "bb"]);
});
