import { afterEach, expect, test, vi } from "vitest";
import { idleDonor } from "../page-state.ts";
import { donating } from "../views/fixtures.ts";
import { problems } from "../worker/problems.ts";
import { earlierDonation, rememberDonation } from "./earlier.ts";

afterEach(() => vi.unstubAllGlobals());

function given(wasDiscarded?: boolean) {
  const kept = new Map<string, string>();
  vi.stubGlobal("document", wasDiscarded === undefined ? {} : { wasDiscarded });
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  });
}

test("a page that ended while it donated is known once, and a discarded tab from a reload", () => {
  given();
  expect(earlierDonation()).toBeNull();
  rememberDonation(donating);
  expect(earlierDonation()).toBe("interrupted");
  expect(earlierDonation()).toBeNull();
  given(true);
  rememberDonation({ ...donating, status: "paused" });
  expect(earlierDonation()).toBe("discarded");
});

test("a press of Pause outlives a reload and a discarded tab; a limit's pause is looked at anew", () => {
  for (const discarded of [undefined, true]) {
    given(discarded);
    rememberDonation({ ...donating, status: "paused", pausedBecause: [{ code: "hidden" }, { code: "by-hand" }] });
    expect(earlierDonation()).toBe("paused");
    rememberDonation({ ...donating, status: "paused", pausedBecause: [{ code: "hidden" }] });
    expect(earlierDonation()).not.toBe("paused");
  }
});

test("a page that its host takes no more goes on as the host's own one", () => {
  given();
  rememberDonation(donating);
  rememberDonation({ ...donating, status: "blocked", problem: problems.refused("full", "512 peers are here") });
  expect(earlierDonation()).toBeNull();
  rememberDonation({
    ...donating,
    status: "blocked",
    problem: problems.refused("version", "protocol 3 is spoken here"),
  });
  expect(earlierDonation()).toBe("replaced");
  expect(earlierDonation()).toBeNull();
});

test("who stopped, or never began, was not interrupted; nor is anybody where storage is refused", () => {
  given(true);
  expect(earlierDonation()).toBeNull();
  rememberDonation(donating);
  rememberDonation({ ...donating, status: "stopped" });
  expect(earlierDonation()).toBeNull();
  rememberDonation(idleDonor);
  expect(earlierDonation()).toBeNull();
  vi.stubGlobal("sessionStorage", undefined);
  rememberDonation(donating);
  expect(earlierDonation()).toBeNull();
});
