import { expect, test } from "vitest";
import { emptyWatcher } from "../page-state.ts";
import { run } from "../views/fixtures.ts";
import { linkKey, type WatcherSnapshot } from "../window/types.ts";
import { merged } from "../window/watcher.ts";
import { RunNews } from "./run-news.ts";

const none = new Map();

/** Both ends of the line: what the reader tells, the page puts together. */
function given() {
  const news = new RunNews();
  let page: WatcherSnapshot = emptyWatcher;
  return {
    hear(at: number, heard: typeof run, rateByPeer = none, rateByLink = none) {
      const told = news.take(at, structuredClone(heard), rateByPeer, rateByLink);
      page = { ...page, ...merged(page, structuredClone(told)) };
      return { told, page };
    },
  };
}

test("whatever changes, the page has the run as the host told it", () => {
  const { hear } = given();
  expect(hear(0, run).page.run).toEqual(run);
  const [first, second, ...rest] = run.peers;
  const moved = { ...run, round: 42, peers: [{ ...second, step: 7 }, first, ...rest] };
  expect(hear(500, moved).page.run).toEqual(moved);
  const fewer = { ...moved, peers: [first], offered: [], churn: [] };
  expect(hear(1_000, fewer).page.run).toEqual(fewer);
  expect(hear(1_500, run).page.run).toEqual(run);
});

test("what did not change is not told again, and stays the same object", () => {
  const { hear } = given();
  const before = hear(0, run).page.run!;
  const [first, ...rest] = run.peers;
  const { told, page } = hear(500, { ...run, peers: [{ ...first, step: 99 }, ...rest] });
  expect(told.run).toEqual({});
  expect(told.rows).toEqual([{ ...first, step: 99 }, ...rest.map((_, i) => i + 1)]);
  expect(page.run?.spec).toBe(before.spec);
  expect(page.run?.churn).toBe(before.churn);
  expect(page.run?.peers.slice(1).every((row, i) => row === before.peers[i + 1])).toBe(true);
});

test("rates come once a second, and belong to their peers and links", () => {
  const { hear } = given();
  const [owner] = run.peers.filter(({ links }) => links.length > 0);
  const key = linkKey(owner.id, owner.links[0].peer);
  const rates = [new Map([[owner.id, { sent: 3, received: 4 }]]), new Map([[key, { sent: 5, received: 6 }]])] as const;
  const { page } = hear(0, run, ...rates);
  expect(page.rateByPeer.get(owner.id)).toEqual({ sent: 3, received: 4 });
  expect(page.rateByLink.get(key)).toEqual({ sent: 5, received: 6 });
  expect(hear(500, run, ...rates).told.rates).toBeUndefined();
  expect(hear(1_000, run, ...rates).told.rates).toBeDefined();
});
