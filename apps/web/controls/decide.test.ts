import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Conditions, decide, type PauseCode } from "./decide.ts";
import { type Controls, defaultControls } from "./settings.ts";

/** A machine at home by day, on which the defaults train. */
const quietDay: Conditions = {
  pausedByHand: false,
  battery: { charging: true, level: 1 },
  visible: true,
  idle: false,
  metered: false,
  phone: false,
  networkAllowed: false,
  minuteOfDay: 12 * 60,
  bytesToday: 0,
};
const codes = (controls: Partial<Controls>, conditions: Partial<Conditions>): PauseCode[] =>
  decide({ ...defaultControls, ...controls }, { ...quietDay, ...conditions }).because.map(({ code }) => code);

const off = (level: number) => ({ battery: { charging: false, level } });

test("with the defaults a plugged-in machine trains", () => {
  expect(decide(defaultControls, quietDay)).toEqual({ because: [], leaves: false });
});

describe("each reason, and what lifts it", () => {
  const night = { quiet: { from: 22 * 60, to: 7 * 60 } };
  test.each<[PauseCode, Partial<Controls>, Partial<Conditions>, Partial<Conditions>]>([
    ["by-hand", {}, { pausedByHand: true }, { pausedByHand: false }],
    ["unplugged", { onlyPluggedIn: true }, off(1), { battery: { charging: true, level: 0.9 } }],
    ["battery-low", {}, off(0.19), off(0.2)],
    ["battery-low", { batteryMin: 0.5 }, off(0.4), { battery: { charging: true, level: 0.4 } }],
    ["hidden", { when: "visible" }, { visible: false }, { visible: true }],
    ["in-use", { when: "idle" }, { idle: false }, { idle: true }],
    ["idle-unknown", { when: "idle" }, { idle: null }, { idle: true }],
    ["metered", {}, { metered: true }, { metered: true, networkAllowed: true }],
    ["metered", {}, { metered: true, phone: true }, { metered: false, phone: true }],
    ["network-unknown", {}, { metered: null, phone: true }, { metered: null, phone: true, networkAllowed: true }],
    ["daily-cap", {}, { bytesToday: 5e9 }, { bytesToday: 4_999_999_999 }],
    ["daily-cap", { dailyBytesMax: 1e6 }, { bytesToday: 2e6 }, { bytesToday: 0 }],
    ["quiet-hours", night, { minuteOfDay: 22 * 60 }, { minuteOfDay: 22 * 60 - 1 }],
    ["quiet-hours", night, { minuteOfDay: 7 * 60 - 1 }, { minuteOfDay: 7 * 60 }],
    ["quiet-hours", { quiet: { from: 540, to: 600 } }, { minuteOfDay: 540 }, { minuteOfDay: 600 }],
  ])("%s with %j", (code, controls, so, otherwise) => {
    expect(codes(controls, so)).toEqual([code]);
    expect(codes(controls, otherwise)).toEqual([]);
  });

  test("quiet from a time to the same time are all day", () => {
    for (const minuteOfDay of [0, 539, 540, 1439])
      expect(codes({ quiet: { from: 540, to: 540 } }, { minuteOfDay })).toEqual(["quiet-hours"]);
  });
});

test("what a browser does not tell stops nothing, but for who wants to be away", () => {
  const unknown = { battery: null, idle: null, metered: null };
  const strict: Partial<Controls> = { onlyPluggedIn: true, batteryMin: 0.9 };
  expect(codes(strict, unknown)).toEqual([]);
  expect(codes({ ...strict, when: "idle" }, unknown)).toEqual(["idle-unknown"]);
});

test("every limit off: only the person's own hand pauses", () => {
  const free: Partial<Controls> = { batteryMin: 0, metered: "use", dailyBytesMax: null };
  const worst = { ...off(0), visible: false, metered: true, phone: true, bytesToday: 1e15 };
  expect(codes(free, worst)).toEqual([]);
  expect(codes(free, { ...worst, pausedByHand: true })).toEqual(["by-hand"]);
});

const controls: fc.Arbitrary<Controls> = fc.record({
  duty: fc.constant(1),
  onlyPluggedIn: fc.boolean(),
  batteryMin: fc.constantFrom(0, 0.2, 0.9),
  when: fc.constantFrom("always", "visible", "idle"),
  metered: fc.constantFrom("pause", "use"),
  dailyBytesMax: fc.constantFrom(null, 1e6, 5e9),
  quiet: fc.option(fc.record({ from: fc.nat(1439), to: fc.nat(1439) })),
  keepAwake: fc.boolean(),
  relayOnly: fc.boolean(),
  notify: fc.boolean(),
});
const conditions: fc.Arbitrary<Conditions> = fc.record({
  pausedByHand: fc.boolean(),
  battery: fc.option(fc.record({ charging: fc.boolean(), level: fc.double({ min: 0, max: 1, noNaN: true }) })),
  visible: fc.boolean(),
  idle: fc.option(fc.boolean()),
  metered: fc.option(fc.boolean()),
  phone: fc.boolean(),
  networkAllowed: fc.boolean(),
  minuteOfDay: fc.nat(1439),
  bytesToday: fc.nat(10_000_000_000),
});

/** Each control by itself: all others off. */
const alone: readonly ((given: Controls) => Partial<Controls>)[] = [
  ({ onlyPluggedIn }) => ({ onlyPluggedIn }),
  ({ batteryMin }) => ({ batteryMin }),
  ({ when }) => ({ when }),
  ({ metered }) => ({ metered }),
  ({ dailyBytesMax }) => ({ dailyBytesMax }),
  ({ quiet }) => ({ quiet }),
];
const none: Controls = { ...defaultControls, batteryMin: 0, metered: "use", dailyBytesMax: null };

test("combined: the reasons are those of each control alone, none hides another, none comes twice", () => {
  fc.assert(
    fc.property(controls, conditions, (given, so) => {
      const together = decide(given, so).because.map(({ code }) => code);
      const apart = alone.flatMap((only) =>
        decide({ ...none, ...only(given) }, { ...so, pausedByHand: false }).because.map(({ code }) => code),
      );
      expect([...together].sort()).toEqual([...(so.pausedByHand ? ["by-hand"] : []), ...apart].sort());
      expect(new Set(together).size).toBe(together.length);
    }),
  );
});

test("who leaves the run has a reason for it, and what forbids traffic always leaves", () => {
  let left = 0;
  fc.assert(
    fc.property(controls, conditions, (given, so) => {
      const { because, leaves } = decide(given, so);
      const codes = because.map(({ code }) => code);
      if (leaves) left++;
      expect(leaves).toBe(codes.some((code) => !["by-hand", "hidden", "in-use", "idle-unknown"].includes(code)));
    }),
  );
  expect(left).toBeGreaterThan(0);
});

test("to allow more never adds a reason", () => {
  fc.assert(
    fc.property(controls, conditions, (given, so) => {
      const before = decide(given, so).because.map(({ code }) => code);
      for (const looser of [none, { ...given, quiet: null }, { ...given, dailyBytesMax: null }])
        for (const { code } of decide(looser, so).because) expect(before).toContain(code);
    }),
  );
});
