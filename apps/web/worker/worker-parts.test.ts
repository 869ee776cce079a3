import { describe, expect, test, vi } from "vitest";
import { MemoryBlobStore, type StorageError } from "#store";
import { HISTORY_MAX } from "../window/types.ts";
import { BlobShelf } from "./blob-shelf.ts";
import { Board } from "./board.ts";
import { Holds } from "./holds.ts";
import { LinkViews } from "./link-views.ts";
import { problems } from "./problems.ts";
import { peerOf } from "./test-given.ts";

describe("board", () => {
  test("tells a burst of changes as one snapshot, and the newest", () => {
    vi.useFakeTimers();
    try {
      const told: number[] = [];
      const board = new Board((snapshot) => told.push(snapshot.round));
      for (let round = 0; round < 10; round++) board.set({ round });
      vi.advanceTimersByTime(1);
      for (let round = 10; round < 20; round++) board.set({ round });
      vi.advanceTimersByTime(1000);
      expect(told).toEqual([9, 19]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("histories are bounded and keep their newest half whole", () => {
    const board = new Board(() => {});
    for (let step = 1; step <= 3 * HISTORY_MAX; step++) board.loss({ round: 0, step, loss: step });
    const { lossHistory } = board.get();
    expect(lossHistory.length).toBeLessThanOrEqual(HISTORY_MAX);
    expect(lossHistory.at(-1)?.step).toBe(3 * HISTORY_MAX);
    const newest = lossHistory.slice(-HISTORY_MAX / 4).map(({ step }) => step);
    expect(newest).toEqual(newest.map((_, i) => newest[0] + i));
    expect(lossHistory[0].step).toBe(1);
  });

  test("a notice stands once per code, until it is cleared", () => {
    const board = new Board(() => {});
    board.notice(problems.hostGone("one"));
    board.notice(problems.hostGone("two"));
    board.notice(problems.secondTab());
    expect(board.get().notices.map(({ code }) => code)).toEqual(["host-gone", "second-tab"]);
    expect(board.get().notices[0].message).toContain("two");
    board.clear("host-gone");
    expect(board.get().notices.map(({ code }) => code)).toEqual(["second-tab"]);
  });
});

describe("holds", () => {
  test("a held phase waits until it is released; others pass in the same turn", async () => {
    const holds = new Holds();
    expect(holds.pass("encoded")).toBeUndefined();
    holds.hold("encoded");
    const order: string[] = [];
    const reached = holds.reached("encoded").then(() => order.push("reached"));
    const passed = holds.pass("encoded")?.then(() => order.push("passed"));
    await reached;
    expect(order).toEqual(["reached"]);
    holds.release("encoded");
    await passed;
    expect(order).toEqual(["reached", "passed"]);
    expect(holds.pass("encoded")).toBeUndefined();
  });
});

describe("blob shelf", () => {
  test("a store that fails is reported, and the memory serves", async () => {
    const faults: unknown[] = [];
    const shelf = new BlobShelf(new MemoryBlobStore(10), (error) => faults.push(error));
    await shelf.put("a", new Uint8Array(100));
    expect(faults).toHaveLength(1);
    expect((faults[0] as StorageError).fault).toBe("full");
    expect(await shelf.has("a")).toBe(true);
    expect((await shelf.get("a"))?.length).toBe(100);
    await shelf.delete("a");
    expect(await shelf.get("a")).toBeUndefined();
  });

  test("what another tab deleted from the store is still here", async () => {
    const store = new MemoryBlobStore();
    const shelf = new BlobShelf(store, () => {});
    await shelf.put("a", Uint8Array.of(1));
    await store.delete("a");
    expect(await shelf.get("a")).toEqual(Uint8Array.of(1));
  });
});

describe("link views", () => {
  const a = peerOf("a");
  const meter = (bytesSent: number, bytesReceived: number) => ({
    peer: a,
    kind: "direct" as const,
    bytesSent,
    bytesReceived,
  });

  test("rates are means over the last seconds; totals survive a link that closes and opens again", () => {
    const views = new LinkViews();
    views.take(0, [meter(0, 0)]);
    views.take(2_000, [meter(4_000, 2_000)]);
    const [view] = views.views(() => 5, []);
    expect(view).toMatchObject({ peer: a, rttMs: 5, sendBytesPerSecond: 2_000, receiveBytesPerSecond: 1_000 });
    views.take(4_000, []);
    expect(views.views(() => null, [])).toEqual([]);
    views.take(6_000, [meter(10, 20)]);
    expect(views.totals()).toEqual({ bytesSent: 4_010, bytesReceived: 2_020 });
    for (let at = 8_000; at < 40_000; at += 2_000) views.take(at, [meter(10, 20)]);
    expect(views.views(() => null, [])[0].sendBytesPerSecond).toBe(0);
    views.take(40_000, [{ ...meter(100, 200), kind: "relayed" }]); // after the direct link, and faster
    expect(views.totals()).toEqual({ bytesSent: 4_110, bytesReceived: 2_220 });
  });
});
