// Islands over links in memory: frames wait until they are delivered, in an order that the test chooses.
import { describe, expect, test } from "vitest";
import {
  decodeIslandFrame,
  encodeFrame,
  encodeIslandFrame,
  ISLAND_MESSAGE_BYTES_MAX,
  type IslandFrame,
  PART_BYTES,
  PROBE_BYTES,
  WINDOW_BYTES,
} from "#wire";
import { HELD_BYTES_MAX } from "./island-line.ts";
import { IslandLines } from "./island-lines.ts";

const island = "ab".repeat(32);
const members = ["a", "b", "c"].map((letter) => `${letter.repeat(64)}00`);
const [a, b, c] = members;

interface OnTheWay {
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

/** Members that are linked with each other, from one clock. */
function given() {
  const clock = { now: 0 };
  const way: OnTheWay[] = [];
  const closed: string[] = [];
  const linesOf = new Map(
    members.map((self) => [
      self,
      new IslandLines({
        port: {
          send: (to, bytes) => void way.push({ from: self, to, bytes }),
          close: (peer, reason) => void closed.push(`${self[0]} closes ${peer[0]}: ${reason}`),
        },
        now: () => clock.now,
        lost: (reason) => new Error(`lost: ${reason}`),
      }),
    ]),
  );
  const lines = (peer: string): IslandLines => linesOf.get(peer)!;
  for (const self of members) for (const peer of members) if (peer !== self) lines(self).linkUp(peer);
  const deliver = ({ from, to, bytes }: OnTheWay) => lines(to).receive(from, bytes);
  return {
    ...{ clock, way, closed, lines, deliver },
    open: (self: string) => lines(self).open(island, members, self),
    /** Until nothing is on the way; `pick` chooses which frame is next. */
    settle(pick: (frames: readonly OnTheWay[]) => number = () => 0) {
      while (way.length > 0) deliver(way.splice(pick(way), 1)[0]);
    },
    hear: (from: string, to: string, frame: IslandFrame) => lines(to).receive(from, encodeIslandFrame(frame)),
  };
}

const bytesOf = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7) % 251);
const same = (some: Uint8Array, other: Uint8Array): boolean => Buffer.compare(some, other) === 0;
const part = (message: number, bytes: number, offset: number, payload = new Uint8Array(bytes)): IslandFrame => ({
  ...{ type: "part", island, message, bytes, offset, payload },
});
/** Parts in any order, the other frames in theirs: what several connections of a link do. */
const shuffled = (seed: number) => {
  let state = seed;
  return (frames: readonly OnTheWay[]): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const place = (state >>> 8) % frames.length;
    if (frames[place].bytes[0] === 11) return place;
    return frames.findIndex(
      ({ from, to, bytes }) => bytes[0] !== 11 && from === frames[place].from && to === frames[place].to,
    );
  };
};

describe("[R56] messages between members", () => {
  test.each([1, 2, 3])(
    "arrive whole and in order, of any size, whatever the order of their parts (seed %i)",
    async (seed) => {
      const { open, settle } = given();
      const [one, two] = [open(a), open(b)];
      const sizes = [5, 0, PART_BYTES, PART_BYTES + 1, 3 * WINDOW_BYTES + 17, 1, 400_000];
      const messages = sizes.map((size, i) => bytesOf(size, i));
      for (const message of messages) one.send(1, message.slice());
      const coming = messages.map(() => two.receive(0));
      settle(shuffled(seed));
      for (const [i, message] of (await Promise.all(coming)).entries()) expect(same(message, messages[i])).toBe(true);
    },
  );

  test("both ways at once, between each two", async () => {
    const { open, settle } = given();
    const ports = members.map(open);
    expect(ports.map(({ rank, ranks }) => [rank, ranks])).toEqual([0, 1, 2].map((rank) => [rank, 3]));
    const coming = ports.flatMap((port, to) =>
      [0, 1, 2].filter((from) => from !== to).map(async (from) => [from, to, (await port.receive(from))[0]]),
    );
    for (const [from, port] of ports.entries())
      for (const to of [0, 1, 2]) if (to !== from) port.send(to, Uint8Array.of(10 * from + to));
    settle();
    for (const [from, to, said] of await Promise.all(coming)) expect(said).toBe(10 * from + to);
  });

  test("a small one crosses at once; a large one waits for acknowledgements, a window for each connection", async () => {
    const { open, lines, way, settle } = given();
    const [one, two] = [open(a), open(b)];
    one.send(1, bytesOf(100));
    expect(way).toHaveLength(1);
    one.send(1, bytesOf(2 ** 20));
    const bytesOut = () => way.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(bytesOut()).toBeGreaterThanOrEqual(WINDOW_BYTES);
    expect(bytesOut()).toBeLessThan(WINDOW_BYTES + 2 * PART_BYTES);
    lines(a).connections(b, 2);
    expect(bytesOut()).toBeGreaterThanOrEqual(2 * WINDOW_BYTES);
    const coming = [two.receive(0), two.receive(0)];
    settle();
    expect((await Promise.all(coming)).map(({ length }) => length)).toEqual([100, 2 ** 20]);
  });

  test("to whom nobody listens goes so much and no more, and the rest when somebody does", async () => {
    const { open, settle } = given();
    const [one, two] = [open(a), open(b)];
    const message = (i: number) => new Uint8Array(HELD_BYTES_MAX / 4).fill(i);
    let sent = 0;
    for (let i = 0; i < 6; i++) one.send(1, message(i));
    settle((frames) => {
      if (frames[0].bytes[0] === 11) sent += frames[0].bytes.length;
      return 0;
    });
    expect(sent).toBeGreaterThan(HELD_BYTES_MAX);
    expect(sent).toBeLessThan(HELD_BYTES_MAX + 2 * WINDOW_BYTES);
    for (let i = 0; i < 6; i++) {
      const coming = two.receive(0);
      settle();
      expect(same(await coming, message(i))).toBe(true);
    }
  });

  test("who hears of the island last has lost nothing", async () => {
    const { open, settle } = given();
    const one = open(a);
    one.send(1, bytesOf(100_000));
    settle();
    const two = open(b);
    const coming = two.receive(0);
    settle();
    expect(same(await coming, bytesOf(100_000))).toBe(true);
  });
});

describe("[R56] an island ends", () => {
  test("by one member for all: what waits is rejected, what comes later too, and nothing is sent any more", async () => {
    const { open, settle, way } = given();
    const [one, two, three] = members.map(open);
    const waiting = [two.receive(0), three.receive(1)].map((call) => call.catch(String));
    one.end("its engine was lost");
    one.end("again");
    settle();
    expect(await Promise.all(waiting)).toEqual(Array(2).fill("Error: lost: its engine was lost"));
    expect(await two.ended).toBe("its engine was lost");
    await expect(two.receive(0)).rejects.toThrow("lost: its engine was lost");
    two.send(0, bytesOf(5));
    expect(way).toEqual([]);
  });

  test.each([
    ["goes down", (lines: IslandLines) => lines.linkDown(c), /is down/],
    ["begins anew, over another way", (lines: IslandLines) => lines.linkUp(c), /began anew/],
  ])("when a link %s", async (_, change, reason) => {
    const { open, lines, settle } = given();
    const [one, two, three] = members.map(open);
    change(lines(a));
    settle();
    for (const port of [one, two, three]) expect(await port.ended).toMatch(reason);
  });

  test("at once without a link to each member, and for one who comes late to it", async () => {
    const { open, lines, settle } = given();
    lines(a).linkDown(c);
    const one = open(a);
    expect(await one.ended).toBe("there is no link to cccccccc");
    settle();
    expect(await open(b).ended).toBe("there is no link to cccccccc");
  });

  test("and another one of the same members begins: late frames of the first are nobody's", async () => {
    const { open, lines, settle, hear } = given();
    const [one, two] = members.map(open);
    one.end("over");
    settle();
    await two.ended;
    const next = "ef".repeat(32);
    const [again, other] = [a, b].map((self) => lines(self).open(next, [a, b], self));
    hear(a, b, part(0, 3, 0));
    again.send(1, Uint8Array.of(7));
    const coming = other.receive(0);
    settle();
    expect(await coming).toEqual(Uint8Array.of(7));
  });

  test.each<[string, IslandFrame[], string]>([
    [
      "twice the same part",
      [part(1, PART_BYTES + 1, 0, new Uint8Array(PART_BYTES)), part(1, PART_BYTES + 1, 0, new Uint8Array(PART_BYTES))],
      "sent a part twice",
    ],
    ["twice the same message", [part(1, 3, 0), part(1, 3, 0)], "sent a message twice"],
    [
      "two sizes of one message",
      [part(1, 2 * PART_BYTES, 0, new Uint8Array(PART_BYTES)), part(1, PART_BYTES + 1, PART_BYTES, new Uint8Array(1))],
      "gave a message two sizes",
    ],
    ["an acknowledgement of what was not sent", [{ type: "took", island, bytes: 1 }], "took more than was sent"],
    [
      "three largest messages at once",
      [1, 2, 3].map((message) => part(message, ISLAND_MESSAGE_BYTES_MAX, 0, new Uint8Array(PART_BYTES))),
      "began more than fits here",
    ],
    [
      "more than its window",
      Array.from({ length: 4000 }, (_, i) => part(i + 1, PART_BYTES, 0, new Uint8Array(PART_BYTES))),
      "sent more than its window",
    ],
  ])("for who sends %s", async (_, frames, reason) => {
    const { open, hear } = given();
    const two = open(b);
    for (const frame of frames) hear(a, b, frame);
    expect(await two.ended).toBe(`aaaaaaaa ${reason}`);
  });

  test("for who floods it before it is known here", async () => {
    const { open, hear } = given();
    for (let i = 0; i < 200; i++) hear(a, b, part(i, PART_BYTES, 0, new Uint8Array(PART_BYTES)));
    expect(await open(b).ended).toBe("aaaaaaaa sent more than its window");
  });
});

test("frames of a stranger to the island are nobody's, what does not decode closes the link, other frames are not ours", async () => {
  const { lines, hear, closed } = given();
  const two = lines(b).open(island, [a, b], b);
  hear(c, b, { type: "over", island, reason: "go away" });
  expect(closed).toEqual([]);
  expect(lines(b).receive(c, Uint8Array.of(11, 2, 0, 0, 1))).toBe(true);
  expect(closed).toEqual(["b closes c: sent a frame that does not decode"]);
  expect(lines(b).receive(c, encodeFrame({ type: "ping", stamp: 1 }))).toBe(false);
  hear(a, b, part(0, 1, 0, Uint8Array.of(4)));
  expect(await two.receive(0)).toEqual(Uint8Array.of(4));
  lines(b).close();
  expect(await two.ended).toBe("this peer has stopped");
});

test("[R56] a link is measured by what it takes to carry a probe, without its round trip; one that goes down has no measure", async () => {
  const { lines, clock, way, settle } = given();
  const measuring = lines(a).measure(b, 4);
  expect(await lines(a).measure(b, 4)).toBeUndefined(); // under way
  expect(way.every(({ bytes }) => decodeIslandFrame(bytes)?.type === "probe")).toBe(true);
  clock.now = 500; // the first counts for nothing
  settle();
  await Promise.resolve();
  expect(way.length).toBeGreaterThan(0);
  clock.now += 24;
  settle();
  expect(await measuring).toBe((1000 * PROBE_BYTES) / 20);
  const other = lines(a).measure(c, 4);
  lines(a).linkDown(c);
  expect(await other).toBeUndefined();
});
