// What opens further connections, and what does not: a line is a rate and a share of our window that waits in the channel's queue.
import { describe, expect, test } from "vitest";
import { WINDOW_BYTES } from "#wire";
import { Widening } from "./widening.ts";

/** Sends for `ms` at what `line` gives to so many connections; all that is wanted is up one second later. */
function bulk(
  widening: Widening,
  ms: number,
  line: (connections: number) => { bytesPerMs: number; queuedBytes: number },
  from = { now: 0, left: 0, connections: 1 },
) {
  let { now, left, connections } = from;
  const wanted: number[] = [];
  let changedAt = now;
  for (const end = now + ms; now < end; now += 20) {
    const { bytesPerMs, queuedBytes } = line(connections);
    left += 20 * bytesPerMs;
    const want = widening.wanted(now, { connections, queuedBytes, sentBytes: left + queuedBytes });
    if (want !== wanted.at(-1)) {
      wanted.push(want);
      changedAt = now;
    }
    if (now - changedAt >= 1_000) connections = want;
  }
  return { wanted, state: { now, left, connections } };
}

/** 1 % loss: each connection gets 300 bytes per ms, and all but 15 KiB of its window waits. */
const lossy = (connections: number) => ({
  bytesPerMs: 300 * connections,
  queuedBytes: connections * (WINDOW_BYTES - 15_000),
});
/** The line gives the same however many share it. */
const slow = (connections: number) => ({ bytesPerMs: 300, queuedBytes: connections * (WINDOW_BYTES - 15_000) });
const clean = () => ({ bytesPerMs: 2_400, queuedBytes: 30_000 });

describe("[R46] further connections", () => {
  test("on a lossy line four, then eight, and never more", () => {
    expect(bulk(new Widening(), 30_000, lossy).wanted).toEqual([1, 4, 8]);
  });

  test("on a clean line one, however long", () => {
    expect(bulk(new Widening(), 60_000, clean).wanted).toEqual([1]);
  });

  test("a slow line is tried once a minute, and has one again", () => {
    expect(bulk(new Widening(), 50_000, slow).wanted).toEqual([1, 4, 1]);
    expect(bulk(new Widening(), 80_000, slow).wanted).toEqual([1, 4, 1, 4, 1]);
  });

  test("when the second step gains nothing, the first one stays", () => {
    const shared = (connections: number) => ({ ...lossy(connections), bytesPerMs: 300 * Math.min(4, connections) });
    expect(bulk(new Widening(), 30_000, shared).wanted).toEqual([1, 4, 8, 4]);
  });

  test("a queue that empties now and then is no loss, and nothing grows before a second of it", () => {
    let sends = 0;
    const bursts = (connections: number) => ({ ...lossy(connections), queuedBytes: ++sends % 25 === 0 ? 0 : 250_000 });
    expect(bulk(new Widening(), 30_000, bursts).wanted).toEqual([1]);
    expect(bulk(new Widening(), 1_000, lossy).wanted).toEqual([1]);
  });

  test("updates with pauses between them are judged by the time that they took", () => {
    const widening = new Widening();
    const wanted: number[] = [];
    let state = { now: 0, left: 0, connections: 1 };
    for (let update = 0; update < 12; update++) {
      const one = bulk(widening, 1_400, lossy, state);
      wanted.push(...one.wanted);
      state = { ...one.state, now: one.state.now + 1_600 };
      widening.wanted(state.now, { connections: state.connections, queuedBytes: 0, sentBytes: state.left });
    }
    expect(Math.max(...wanted)).toBe(8);
    expect(wanted.at(-1)).toBe(8);
  });

  test("after the transfer it begins with one, and goes back at once to what has proved itself; minutes later step by step", () => {
    const widening = new Widening();
    const { state } = bulk(widening, 30_000, lossy);
    widening.ended();
    const again = { ...state, connections: 1 };
    expect(bulk(widening, 1_000, lossy, again).wanted).toEqual([1, 8]);
    widening.ended();
    const later = { ...again, now: state.now + 6 * 60_000 };
    expect(bulk(widening, 10_000, lossy, later).wanted).toEqual([1, 4, 8]);
  });

  test("connections that do not come up are not waited for", () => {
    const widening = new Widening();
    const alone = () => lossy(1);
    expect(bulk(widening, 10_000, alone).wanted).toEqual([1, 4, 1]);
  });
});
