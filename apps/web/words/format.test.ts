import { expect, test } from "vitest";
import { english, nameOf, sentence, shortPeer } from "./format.ts";

const format = { ...english, nameOf, sentence, shortPeer };

test("bytes take the unit that keeps three figures", () => {
  expect([0, 999, 1000, 999_600, 1_234_567, 2_100_000_000].map(format.bytes)).toEqual([
    "0 B",
    "999 B",
    "1 kB",
    "1 MB",
    "1.23 MB",
    "2.1 GB",
  ]);
  expect(format.rate(1500)).toBe("1.5 kB/s");
});

test("sizes in words", () => {
  expect([950, 118_784, 1_820_000, 2.4e9].map(format.sizeInWords)).toEqual([
    "950",
    "119 thousand",
    "1.82 million",
    "2.4 billion",
  ]);
});

test("short numbers for narrow cells", () => {
  expect([0, 812, 12_400, 3_100_000].map(format.short)).toEqual(["0", "812", "12.4k", "3.1M"]);
});

test("a share of nothing is nothing", () => {
  expect(format.share(0, 0)).toBe("0%");
  expect(format.share(1, 3)).toBe("33.3%");
});

test("durations", () => {
  expect([41, 9_000, 30_000, 600_000, 7_200_000].map(format.duration)).toEqual([
    "41 ms",
    "9 s",
    "30 s",
    "10 min",
    "2 h",
  ]);
});

test("a reason ends as a sentence does", () => {
  expect(["gone", "gone.", " why? "].map(format.sentence)).toEqual(["Gone.", "Gone.", "Why?"]);
});

test("a loss that is not there is a dash", () => {
  expect([format.loss(null), format.loss(1.23456)]).toEqual(["–", "1.235"]);
});

test("peers are told apart by key and slot", () => {
  const key = "ab".repeat(32);
  expect([format.shortPeer(`${key}00`), format.shortPeer(`${key}03`)]).toEqual(["ababab", "ababab·3"]);
  expect(format.nameOf(`${key}00`, "  ")).toBe("peer ababab");
});
