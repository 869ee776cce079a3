import { expect, test } from "vitest";
import { presets } from "#wire";
import { type BillAsked, billLines, billOf } from "./bill.ts";

const asked: BillAsked = { peers: 40, roundSeconds: 60, joiners: 10, relayedPercent: 20 };
const U = 56 + 115_520 + 4 * Math.ceil(115_520 / 256); // header and base hash; int8 blocks: a byte a parameter, a scale for 256

test("nano: what the formula says, term by term", () => {
  const bill = billOf(presets.nano, asked);
  expect(bill.updateBytes).toBe(U);
  expect(bill.checkpointBytes).toBe(8 * 115_520);
  expect(bill.roundsADay).toBe(1440);
  expect(bill.uploadedBytes).toBe(40 * U * 1440);
  expect(bill.relayedBytes).toBeCloseTo(0.2 * 40 * 31 * U * 1440, 0); // a commit names 32
  expect(bill.diskBytes).toBeNull();
  expect(bill.diskBytesADay).toBeCloseTo(1440 * (32 * U + 8 * 11_552), 0);
  expect(billLines("nano", asked, bill).filter((line) => line.length > 100)).toEqual([]);
});

test("with adapters beside a base updates are small, and every joiner fetches the base", () => {
  const base = { path: "./base", source: "a test", licence: "CC0-1.0" };
  const lora = { rank: 4, alpha: 8, targets: ["q" as const, "v" as const] };
  const [plain, adapting] = [billOf(presets.nano, asked), billOf({ ...presets.nano, version: 5, base, lora }, asked)];
  expect(adapting.updateBytes).toBeLessThan(plain.updateBytes / 20);
  const kept = { ...presets.nano, rounds: { ...presets.nano.rounds, durability: "peers" as const } };
  const more = billOf({ ...kept, version: 5, base, lora }, asked).joinersBytes - billOf(kept, asked).joinersBytes;
  expect(more).toBe(10 * 4 * 115_520);
});

test("a window is bounded, and peers that keep the updates leave the host nothing to carry but the page and the text", () => {
  expect(billOf(presets.micro, asked).diskBytes).toBeLessThan(1e9);
  const kept = {
    ...presets.micro,
    rounds: { ...presets.micro.rounds, durability: "peers" as const },
  };
  expect(billOf(kept, asked)).toMatchObject({ uploadedBytes: 0, diskBytes: 0, diskBytesADay: 0 });
});
