import { expect, test } from "vitest";
import { encodeFrame } from "#wire";
import { Heartbeat, LINK_DEAD_MS, PROBE_MS, TICK_MS } from "./heartbeat.ts";

/** Two peers and the link between them, with a clock that the test moves. */
function linked() {
  const world = { now: 0, deaf: false };
  const closed: string[] = [];
  const end = (own: string, other: string): Heartbeat =>
    new Heartbeat(
      {
        send: (_to, bytes) => {
          if (!world.deaf) ends[other].receive(own, bytes);
        },
        close: (peer, reason) => closed.push(`${own} ${peer} ${reason}`),
      },
      () => world.now,
    );
  const ends: Record<string, Heartbeat> = { a: end("a", "b"), b: end("b", "a") };
  ends.a.linkUp("b");
  ends.b.linkUp("a");
  const pass = (ms: number): void => {
    for (const until = world.now + ms; world.now < until; ) {
      world.now = Math.min(until, world.now + TICK_MS);
      tick(false);
    }
  };
  const tick = (slept: boolean): void => {
    ends.a.tick(slept);
    if (!world.deaf) ends.b.tick(slept);
  };
  return { world, closed, a: ends.a, pass, tick };
}

test("[R44] [R45] pings keep a link alive and measure it; silence ends it; sleep of our own does not, but gives one chance", () => {
  const { world, closed, a, pass, tick } = linked();
  pass(60_000);
  expect(closed).toEqual([]);
  expect(a.rttMs("b")).toBe(0);
  world.now += 3_600_000; // a closed lid
  tick(true);
  pass(5_000);
  expect(closed).toEqual([]);
  world.deaf = true;
  pass(LINK_DEAD_MS + 2_500);
  expect(closed).toEqual([`a b silent for ${LINK_DEAD_MS} ms`]);
  const other = linked();
  other.world.deaf = true; // gone while we slept
  other.world.now += 3_600_000;
  other.tick(true);
  other.pass(LINK_DEAD_MS - 1);
  expect(other.closed).toEqual([]);
  other.pass(TICK_MS);
  expect(other.closed).toHaveLength(1);
});

test("[R14] a peer that is said to have left keeps its link if it answers, and loses it at once if not", () => {
  const { world, closed, a, pass } = linked();
  pass(5_000);
  a.probe("b");
  pass(2 * PROBE_MS);
  expect(closed).toEqual([]);
  world.deaf = true; // its tab is closed
  a.probe("b");
  pass(PROBE_MS + TICK_MS);
  expect(closed).toEqual([`a b left, and silent for ${PROBE_MS} ms`]);
  a.probe("b"); // nobody there: nothing to ask
});

test("every frame is a sign of life, and only pings and pongs are the heartbeat's own", () => {
  const { world, closed, a } = linked();
  world.deaf = true;
  for (world.now = 0; world.now < 5 * LINK_DEAD_MS; world.now += TICK_MS) {
    expect(a.receive("b", encodeFrame({ type: "cancel", request: 1 }))).toBe(false);
    a.tick(false);
  }
  expect(closed).toEqual([]);
  expect(a.receive("b", encodeFrame({ type: "ping", stamp: 1 }))).toBe(true);
  expect(a.receive("b", Uint8Array.of(9, 9))).toBe(false); // not ours to judge
  expect(a.receive("stranger", encodeFrame({ type: "cancel", request: 1 }))).toBe(true); // closed meanwhile
});

test("the shortest round trip is kept as long as the link is up; who asks for one more gets it", () => {
  const { world, a } = linked();
  expect(a.rttLeastMs("b")).toBeNull();
  world.now = 100;
  for (const stamp of [40, 96, 0]) a.receive("b", encodeFrame({ type: "pong", stamp }));
  expect(a.rttLeastMs("b")).toBe(4);
  expect(a.rttMs("b")).toBeGreaterThan(4);
  a.ping("b"); // answered at once here
  expect(a.rttLeastMs("b")).toBe(0);
  a.linkUp("b");
  expect(a.rttLeastMs("b")).toBeNull();
  a.ping("nobody");
});
