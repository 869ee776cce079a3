import { expect, test } from "vitest";
import { type LastSeen, lastSeenOf } from "./last-seen.ts";

const seen: LastSeen = { at: 1, name: "nano", round: 2, tokens: 3, peers: 4, trainLoss: 2.5 };

test("what was stored is what was seen", () => {
  expect(lastSeenOf(JSON.stringify(seen))).toEqual(seen);
  expect(lastSeenOf(JSON.stringify({ ...seen, trainLoss: null }))).toEqual({ ...seen, trainLoss: null });
});

test.each([
  null,
  "",
  "{",
  "[]",
  "null",
  "7",
  JSON.stringify({ ...seen, at: "now" }),
  JSON.stringify({ ...seen, name: 3 }),
])("of %j nothing was seen", (text) => expect(lastSeenOf(text)).toBeNull());

test("a name has an end, whoever stored it", () => {
  expect(lastSeenOf(JSON.stringify({ ...seen, name: "n".repeat(5_000) }))?.name).toHaveLength(80);
});
