import { expect, test } from "vitest";
import { MemorySettings } from "#store";
import { DailyUse, dayOf } from "./daily-use.ts";

function given(settings = new MemorySettings()) {
  const clock = { ms: 0, day: "2026-11-22" };
  const use = new DailyUse({ settings, now: () => clock.ms, day: () => clock.day });
  return { settings, clock, use };
}

test("totals of a stretch become bytes of the day; the next stretch counts from zero again", async () => {
  const { use, clock } = given();
  await use.load();
  use.take(100);
  use.take(250);
  use.began();
  clock.ms += 5_000;
  use.take(40);
  await use.load();
  expect(use.bytesToday).toBe(290);
});

test("a reload and another tab count on, whoever stores when", async () => {
  const { settings, use, clock } = given();
  use.take(1_000);
  await use.load();
  const other = given(settings).use;
  await other.load();
  expect(other.bytesToday).toBe(1_000);
  other.take(500);
  clock.ms += 5_000;
  use.take(1_200);
  await Promise.all([use.load(), other.load()]);
  await use.load();
  expect(use.bytesToday).toBe(1_700);
});

test("midnight begins another day, for what is stored and what is not", async () => {
  const { use, clock, settings } = given();
  use.take(1_000);
  await use.load();
  use.take(1_500);
  clock.day = "2026-11-23";
  expect(use.bytesToday).toBe(0);
  use.take(1_510);
  await use.load();
  expect(use.bytesToday).toBe(10);
  expect(await settings.get("bytes of the day")).toEqual({ day: "2026-11-23", bytes: 10 });
});

test("what is stored and is no count is nothing; a store that fails still counts this tab", async () => {
  const { use, settings } = given();
  await settings.set("bytes of the day", { day: "2026-11-22", bytes: "many" });
  await use.load();
  expect(use.bytesToday).toBe(0);
  settings.update = () => Promise.reject(new Error("full"));
  use.take(70);
  await use.load();
  expect(use.bytesToday).toBe(70);
});

test("a day is the local one", () => {
  expect(dayOf(new Date(2026, 0, 5, 23, 59))).toBe("2026-01-05");
});
