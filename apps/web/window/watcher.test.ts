import { expect, test } from "vitest";
import { emptyWatcher } from "../page-state.ts";
import { moment, run, watcher } from "../views/fixtures.ts";
import { merged } from "./watcher.ts";

test("what a new document repeats stays the same object, so that nobody draws it again", () => {
  const again = structuredClone(run);
  expect(merged(watcher, { run: again }).run).toMatchObject({ round: run.round });
  expect(merged(watcher, { run: again }).run?.spec).toBe(run.spec);
  expect(merged(watcher, { run: again }).run?.churn).toBe(run.churn);
  const came = { ...again, churn: [...again.churn, { ...again.churn[0], time: 1 }] };
  expect(merged(watcher, { run: came }).run?.churn).toBe(came.churn);
  expect(merged(watcher, { run: { ...again, id: "another" } }).run?.spec).toBe(again.spec);
});

test("pages of peers lie at their places", () => {
  const first = merged(emptyWatcher, { peersPage: { from: 200, peers: run.peers } }).morePeers!;
  const both = merged({ ...emptyWatcher, morePeers: first }, { peersPage: { from: 400, peers: run.peers } }).morePeers!;
  expect([both.get(200), both.get(401), both.get(300)]).toEqual([run.peers[0], run.peers[1], undefined]);
});

test("a moment that has come is the one that is looked at", () => {
  expect(merged(emptyWatcher, { moment })).toMatchObject({ momentAsked: 20 });
  expect(merged(watcher, { moment: null })).toMatchObject({ momentAsked: null });
  expect("momentAsked" in merged(watcher, { roundsPerSecond: 1 })).toBe(false);
});
