import { expect, test } from "vitest";
import { MATH_VERSION, presets } from "#wire";
import { donationCost } from "../views/estimate.ts";
import { runSizes } from "../watch/run-sizes.ts";
import { changedControls, DAILY_BYTES_DEFAULT, defaultControls, readControls, storedControls } from "./settings.ts";

test("what was stored is what is read; nothing stored are the defaults", () => {
  const controls = { ...defaultControls, duty: 0.5, quiet: { from: 1320, to: 420 }, dailyBytesMax: null };
  expect(readControls(structuredClone(storedControls(controls)))).toEqual({ controls, unusable: [] });
  expect(readControls(undefined)).toEqual({ controls: defaultControls, unusable: [] });
});

test("what an earlier page could not store is as at the start, and nobody is told", () => {
  const { notify: _, ...earlier } = storedControls({ ...defaultControls, keepAwake: true }) as Record<string, unknown>;
  expect(readControls(earlier)).toEqual({ controls: { ...defaultControls, keepAwake: true }, unusable: [] });
});

test("a field that cannot be used has its default, is named, and takes nothing else with it", () => {
  const stored = { ...storedControls({ ...defaultControls, keepAwake: true }), duty: 7, quiet: { from: 9, to: 1440 } };
  expect(readControls(stored)).toEqual({
    controls: { ...defaultControls, keepAwake: true },
    unusable: ["duty", "quiet"],
  });
});

test.each([null, 3, "x", [], {}, { ...storedControls(defaultControls), version: 2 }])(
  "of %j nothing is taken, and that is said",
  (stored) => expect(readControls(stored)).toEqual({ controls: defaultControls, unusable: ["version"] }),
);

test("a change that is none is refused whole", () => {
  expect(changedControls(defaultControls, { batteryMin: 0.5 })).toEqual({ ...defaultControls, batteryMin: 0.5 });
  expect(changedControls(defaultControls, { batteryMin: 2, duty: 0.5 })).toBeUndefined();
  expect(changedControls(defaultControls, { dailyBytesMax: 0 })).toBeUndefined();
});

test("the daily cap lasts five hours of the default run with three others at a round every 30 s", () => {
  const { corpus, ...draft } = presets.micro;
  const { source, licence } = corpus;
  const data = { source, licence, tokenizer: "bytes" as const, train: [], evaluation: [] };
  const spec = { ...draft, mathVersion: MATH_VERSION, hostKey: "", data } as const;
  const { perHour } = donationCost(spec, runSizes(spec), 3, 30_000);
  const hours = DAILY_BYTES_DEFAULT / (perHour!.sent + perHour!.received);
  expect(hours).toBeGreaterThan(4.5);
  expect(hours).toBeLessThan(5.5);
});
