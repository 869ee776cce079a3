import { expect, test } from "vitest";
import { uncheckedMachine } from "./machine.ts";
import { idleDonor, type Place } from "./page-state.ts";
import { PageStore } from "./page-store.ts";
import * as fixtures from "./views/fixtures.ts";
import { volunteer } from "./views/fixtures-volunteer.ts";
import type { Donor, DonorSnapshot, Volunteer } from "./window/types.ts";
import { en } from "./words/en.ts";
import { problems } from "./worker/problems.ts";

class FakeDonor implements Donor {
  readonly calls: string[] = [];
  #snapshot: DonorSnapshot = idleDonor;
  #onChange = () => {};
  subscribe(onChange: () => void) {
    this.#onChange = onChange;
    return () => {};
  }
  getSnapshot = () => this.#snapshot;
  show(change: Partial<DonorSnapshot>) {
    this.#snapshot = { ...this.#snapshot, ...change };
    this.#onChange();
  }
  check = () => void this.calls.push("check");
  donate = () => void this.calls.push("donate");
  pause = () => void this.calls.push("pause");
  resume = () => void this.calls.push("resume");
  stop = () => void this.calls.push("stop");
  end = async () => void this.calls.push("end");
}

class FakeVolunteer implements Volunteer {
  readonly calls: string[] = [];
  subscribe = () => () => {};
  getSnapshot = () => volunteer;
  allow = (change: object) => void this.calls.push(`allow ${JSON.stringify(change)}`);
  rename = (name: string) => void this.calls.push(`rename ${name}`);
  allowNetwork = () => void this.calls.push("allow network");
  keepAwake = () => {};
  exportKey = () => {};
  importKey = () => {};
  measureStorage = () => {};
  forget = async () => void this.calls.push("forget");
}

const memory = { mostBytes: 2, leastBytes: 1, ranks: 1, problem: null };
const ports = {
  memoryNeed: async () => memory,
  navigate: () => {},
  loadWords: async () => en,
  speaks: () => {},
  beginAnew: () => {},
  loadVolunteer: async () => new FakeVolunteer(),
  nameRound: () => {},
  hostHasAnotherPage: async () => false,
  mayBeKept: false,
  changePage: () => true,
};
const start = { place: "donate", runName: "default", machine: uncheckedMachine } as const;
const settled = () => new Promise<void>((resolve) => setTimeout(resolve)); // lets every queued promise run

function givenWatcher() {
  let snapshot = fixtures.watcher;
  let onChange = () => {};
  const watcher = {
    subscribe(listener: () => void) {
      onChange = listener;
      return () => {};
    },
    getSnapshot: () => snapshot,
    show(change: Partial<typeof snapshot>) {
      snapshot = { ...snapshot, ...change };
      onChange();
    },
  };
  return watcher;
}

test("a host that comes back with another page: it is loaded, but not under somebody who donates", async () => {
  const changes: boolean[] = [];
  const changePage = (byHand: boolean) => changes.push(byHand) > 0;
  const donor = new FakeDonor();
  const store = new PageStore(
    { ...ports, changePage, hostHasAnotherPage: async () => true, loadDonor: async () => donor },
    start,
  );
  const watcher = givenWatcher();
  store.watch(watcher);
  await settled();
  expect(changes).toEqual([]); // it was never away
  watcher.show({ connection: "retrying" });
  watcher.show({ connection: "live" });
  await settled();
  expect(changes).toEqual([false]);

  store.donate();
  await settled();
  donor.show({ status: "donating" });
  watcher.show({ connection: "retrying" });
  watcher.show({ connection: "live" });
  await settled();
  expect(changes).toEqual([false]);
  expect(store.getSnapshot().newerPage).toBe(true);
  store.loadNewerPage();
  expect(changes).toEqual([false, true]);
});

test.each([
  [true, "version", [false]],
  [false, "version", []], // the same page again would hear the same
  [true, "full", []],
] as const)("a host with another page (%s) refuses this one (%s)", async (another, code, changed) => {
  const changes: boolean[] = [];
  const changePage = (byHand: boolean) => changes.push(byHand) > 0;
  const donor = new FakeDonor();
  const hostHasAnotherPage = async () => another;
  const store = new PageStore({ ...ports, changePage, hostHasAnotherPage, loadDonor: async () => donor }, start);
  store.donate();
  await settled();
  donor.show({ status: "blocked", problem: problems.refused(code, "told by the host") });
  donor.show({ links: [] }); // more news of the same
  await settled();
  expect(changes).toEqual(changed);
});

test("a page that may be a kept one asks when it first hears of the host; what was tried and did not help is offered", async () => {
  const store = new PageStore(
    {
      ...ports,
      loadDonor: async () => new FakeDonor(),
      mayBeKept: true,
      hostHasAnotherPage: async () => true,
      changePage: () => false,
    },
    start,
  );
  store.watch(givenWatcher());
  await settled();
  expect(store.getSnapshot().newerPage).toBe(true);
});

test("the donor's code is loaded once, when it is wanted, and actions keep their order", async () => {
  const donor = new FakeDonor();
  let loads = 0;
  const loadDonor = async () => {
    loads++;
    return donor;
  };
  const store = new PageStore({ ...ports, loadDonor }, start);
  expect(loads).toBe(0);
  store.donate();
  store.pause();
  store.resume();
  await settled();
  expect([loads, donor.calls]).toEqual([1, ["donate", "pause", "resume"]]);
});

test("what this browser keeps is opened where one may donate, and changed without the donor's code", async () => {
  const fake = new FakeVolunteer();
  let loads = 0;
  const loadVolunteer = async () => {
    loads++;
    return fake;
  };
  const loadDonor = () => Promise.reject(new Error("not wanted"));
  const store = new PageStore({ ...ports, loadVolunteer, loadDonor }, { ...start, place: "watch" });
  store.open();
  await settled();
  expect([loads, store.getSnapshot().volunteer]).toEqual([0, null]);
  store.placed("donate");
  await settled();
  expect([loads, store.getSnapshot().volunteer]).toEqual([1, volunteer]);
  store.rename("Ada");
  store.allow({ duty: 0.5 });
  await settled();
  expect([loads, fake.calls]).toEqual([1, ["rename Ada", 'allow {"duty":0.5}']]);
});

test("what the donor shows is what the page shows", async () => {
  const donor = new FakeDonor();
  const store = new PageStore({ ...ports, loadDonor: async () => donor }, start);
  let changes = 0;
  store.subscribe(() => changes++);
  store.donate();
  await settled();
  const before = changes;
  donor.show({ status: "donating", step: 3 });
  expect(store.getSnapshot().donor).toMatchObject({ status: "donating", step: 3 });
  expect(changes).toBe(before + 1);
});

test("code that does not load blocks with a way out, and the next press tries again", async () => {
  const donor = new FakeDonor();
  let reachable = false;
  const loadDonor = async () => {
    if (!reachable) throw new Error("Failed to fetch");
    return donor;
  };
  const store = new PageStore({ ...ports, loadDonor }, start);
  store.donate();
  await settled();
  expect(store.getSnapshot().donor.status).toBe("blocked");
  expect(store.getSnapshot().donor.problem?.message).toContain("Failed to fetch");
  reachable = true;
  store.donate();
  await settled();
  expect(donor.calls).toEqual(["donate"]);
  expect(store.getSnapshot().donor.problem).toBeNull();
});

test("going elsewhere changes address and snapshot, and leaves the donor alone", () => {
  const visited: Place[] = [];
  const store = new PageStore(
    {
      ...ports,
      loadDonor: () => Promise.reject(new Error("not wanted")),
      navigate: (place) => void visited.push(place),
    },
    start,
  );
  store.go("watch");
  expect([visited, store.getSnapshot().place]).toEqual([["watch"], "watch"]);
});

test("what the run takes is asked once, where one may donate, when run and adapter are known", async () => {
  const asked: unknown[] = [];
  const memoryNeed = async (...given: unknown[]) => {
    asked.push(given);
    return memory;
  };
  const store = new PageStore(
    { ...ports, memoryNeed, loadDonor: async () => new FakeDonor() },
    { ...start, place: "watch" },
  );
  const { watcher, machine } = fixtures.page();
  store.watch({ subscribe: () => () => {}, getSnapshot: () => watcher });
  expect(asked).toEqual([]);
  const limits = { maxBufferSize: 1, maxStorageBufferBindingSize: 1, maxComputeWorkgroupsPerDimension: 1 };
  store.machineProbed({ ...machine, limits });
  expect(asked).toEqual([]);
  store.placed("donate");
  store.machineProbed({ ...machine, limits });
  await settled();
  expect(asked).toEqual([[limits]]);
  expect(store.getSnapshot().memory).toBe(memory);
});

test("to forget ends the donor first, then deletes, then begins anew; what could not be deleted is told", async () => {
  const [donor, fake] = [new FakeDonor(), new FakeVolunteer()];
  const order: string[] = [];
  donor.end = async () => void order.push("end");
  fake.forget = async () => void order.push("forget");
  const beginAnew = () => void order.push("anew");
  const loadVolunteer = async () => fake;
  const store = new PageStore({ ...ports, beginAnew, loadVolunteer, loadDonor: async () => donor }, start);
  store.donate();
  store.forget();
  await settled();
  expect(order).toEqual(["end", "forget", "anew"]);
  fake.forget = () => Promise.reject(new Error("blocked"));
  store.forget();
  await settled();
  expect(store.getSnapshot().donor.notices).toMatchObject([{ code: "not-forgotten" }]);
  expect(order).toEqual(["end", "forget", "anew", "end"]);
});
