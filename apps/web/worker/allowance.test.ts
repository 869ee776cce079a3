import { expect, test } from "vitest";
import { defaultControls } from "../controls/settings.ts";
import { volunteer } from "../views/fixtures-volunteer.ts";
import { Allowance } from "./allowance.ts";

test("told of every other decision once, whatever it comes from: settings, machine, clock, bytes, hand", () => {
  const now = { minute: 12 * 60, bytes: 0 };
  const told: string[] = [];
  const { observed } = volunteer;
  const allowance = new Allowance(defaultControls, observed, {
    minuteOfDay: () => now.minute,
    bytesToday: () => now.bytes,
    onChange: ({ because }) => told.push(because.map(({ code }) => code).join(" ")),
  });
  const quiet = { from: 22 * 60, to: 7 * 60 };
  allowance.tick();
  allowance.allow({ ...defaultControls, quiet });
  expect(told).toEqual([]);
  now.minute = 23 * 60;
  allowance.tick();
  allowance.tick();
  allowance.observe({ ...observed, battery: { charging: false, level: 0.1 } });
  now.bytes = 6e9;
  allowance.tick();
  allowance.pauseByHand(true);
  now.minute = 8 * 60;
  now.bytes = 0;
  allowance.tick();
  allowance.observe(observed);
  allowance.pauseByHand(false);
  expect(told).toEqual([
    "quiet-hours",
    "battery-low quiet-hours",
    "battery-low daily-cap quiet-hours",
    "by-hand battery-low daily-cap quiet-hours",
    "by-hand battery-low",
    "by-hand",
    "",
  ]);
  expect(allowance.decision).toEqual({ because: [], leaves: false });
});
