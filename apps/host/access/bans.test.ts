import { expect, test } from "vitest";
import { BAN_MS, BANS_MAX, Bans } from "./bans.ts";

const volunteer = (n: number): string => n.toString(16).padStart(64, "0");

test("[R38] who was sent away stays away for ten minutes, in every slot, and is told how long", () => {
  const bans = new Bans();
  bans.add(`${volunteer(1)}03`, 1_000);
  expect(bans.refusal(volunteer(1), 1_000)).toContain("in 10 minutes");
  expect(bans.refusal(volunteer(1), BAN_MS)).toContain("in 1 minute.");
  expect(bans.refusal(volunteer(2), 1_000)).toBeUndefined();
  expect(bans.refusal(volunteer(1), BAN_MS + 1_000)).toBeUndefined();
});

test("[R38] the table is bounded: the oldest go first", () => {
  const bans = new Bans();
  for (let n = 0; n <= BANS_MAX; n++) bans.add(`${volunteer(n)}00`, 0);
  expect(bans.refusal(volunteer(0), 1)).toBeUndefined();
  expect(bans.refusal(volunteer(1), 1)).toBeDefined();
});

test("the operator's bans hold for a time or for ever, say why, and make no room for the host's", () => {
  const bans = new Bans();
  bans.put(volunteer(1), null, "spam", 0);
  bans.put(volunteer(2), 5_000, "", 0);
  for (let n = 10; n <= 10 + BANS_MAX; n++) bans.add(`${volunteer(n)}00`, 1);
  expect(bans.refusal(volunteer(1), 1e12)).toBe("The operator has banned this volunteer: spam.");
  expect(bans.refusal(volunteer(2), 4_999)).toContain("after 1970-01-01T00:00:05.000Z");
  expect(bans.refusal(volunteer(2), 5_000)).toBeUndefined();
  expect(bans.list(2)).toHaveLength(BANS_MAX + 2);
  expect([bans.remove(volunteer(1)), bans.remove(volunteer(1))]).toEqual([true, false]);
  expect(bans.refusal(volunteer(1), 1)).toBeUndefined();
  const again = new Bans(bans.list(2));
  expect(again.refusal(volunteer(2), 3)).toBeDefined();
  expect(again.refusal(volunteer(11), 3)).toContain("in 10 minutes");
});
