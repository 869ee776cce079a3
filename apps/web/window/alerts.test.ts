import { expect, test } from "vitest";
import { idleDonor, type PageSnapshot } from "../page-state.ts";
import { donating, page } from "../views/fixtures.ts";
import { volunteer } from "../views/fixtures-volunteer.ts";
import { problems } from "../worker/problems.ts";
import { alertOf, followForAlerts } from "./alerts.ts";
import type { DonorSnapshot } from "./types.ts";

const lost: DonorSnapshot = { ...donating, status: "blocked", problem: problems.deviceLost("gone") };
const ended: DonorSnapshot = { ...donating, status: "ended" };
const paused: DonorSnapshot = { ...donating, status: "paused", pausedBecause: [{ code: "hidden" }] };
const frozen: DonorSnapshot = { ...donating, notices: [problems.frozen(90_000)] };
const alone: DonorSnapshot = { ...donating, notices: [problems.hostGone("closed")] };

test.each([
  ["a device that is lost", donating, lost, "blocked"],
  ["the run's end", donating, ended, "ended"],
  ["its end while this machine is paused", paused, ended, "ended"],
  ["a tab that was frozen", donating, frozen, "frozen"],
] as const)("%s is told", (_, before, now, alert) => expect(alertOf(before, now)).toBe(alert));

test.each([
  ["a press of Stop", donating, { ...donating, status: "stopped" }],
  ["a limit, or a press of Pause", donating, paused],
  ["what was told before", frozen, { ...frozen, step: 9 }],
  ["what was in the way from the start", idleDonor, lost],
  ["a host that is away for a moment", donating, alone],
] as const)("%s is not", (_, before, now) => expect(alertOf(before, now)).toBeNull());

function given(notify: boolean, inView = false) {
  let snapshot: PageSnapshot = page({
    donor: donating,
    volunteer: { ...volunteer, controls: { ...volunteer.controls, notify } },
  });
  let changed = () => {};
  const timers: { ms: number; act: () => void; off: boolean }[] = [];
  const told: string[] = [];
  const store = {
    subscribe(onChange: () => void) {
      changed = onChange;
      return () => {};
    },
    getSnapshot: () => snapshot,
  };
  followForAlerts(store, {
    inView: () => inView,
    after(ms, act) {
      const timer = { ms, act, off: false };
      timers.push(timer);
      return () => {
        timer.off = true;
      };
    },
    notify: (title, body) => told.push(`${title}: ${body}`),
  });
  const show = (donor: DonorSnapshot) => {
    snapshot = { ...snapshot, donor };
    changed();
  };
  return { show, told, timers };
}

test("who wants it and does not look is told, in words; who looks, or does not want it, is not", () => {
  const wanted = given(true);
  wanted.show(lost);
  expect(wanted.told).toEqual(["This machine stopped training: The device went away"]);
  const others = [given(false), given(true, true)];
  for (const { show } of others) show(lost);
  expect(others.flatMap(({ told }) => told)).toEqual([]);
});

test("a host that is away is told when it stays away, once", () => {
  const { show, told, timers } = given(true);
  show(alone);
  show({ ...alone, step: 9 });
  show(donating); // it is back
  expect(timers.map(({ ms, off }) => [ms, off])).toEqual([[300_000, true]]);
  show(alone);
  timers[1].act();
  expect(told).toHaveLength(1);
  expect(told[0]).toContain("The host has not answered for five minutes");
});
