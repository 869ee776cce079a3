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
