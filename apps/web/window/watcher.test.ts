import { expect, test } from "vitest";
import { emptyWatcher } from "../page-state.ts";
import { moment, run, watcher } from "../views/fixtures.ts";
import { merged } from "./watcher.ts";

test("what seldom changes stays the same object, so that nobody draws it again", () => {
  const { peers, churn, spec, ...rest } = run;
  expect(merged(emptyWatcher, { run: rest }).run).toBeUndefined(); // not whole yet
  expect(merged(emptyWatcher, { run: { ...rest, churn, spec }, rows: peers }).run).toEqual(run);
  const next = merged(watcher, { run: { ...rest, round: 42 } }).run;
  expect([next?.round, next?.churn, next?.spec]).toEqual([42, watcher.run?.churn, watcher.run?.spec]);
  expect(next?.churn).toBe(watcher.run?.churn);
  expect(merged(watcher, { run: { churn: [] } }).run?.churn).toEqual([]);
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
