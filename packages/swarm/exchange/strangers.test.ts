// What links, hosts and strangers may do to the exchange: whatever it is, blobs arrive, honest peers are not blamed, and nothing grows.
import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeFrame, type Frame, PIECE_LIST } from "#wire";
import { blobOf, TestSwarm, tinyPieces } from "./test-given.ts";

const { pieceBytes } = tinyPieces;
const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;

describe("[R39] strangers", () => {
  test("who sends a wrong piece is cut off and not heard again; the blob comes from another", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(3 * pieceBytes);
    swarm.add("a", blob);
    swarm.add("c", blob);
    const b = swarm.add("b");
    swarm.link("a", "b");
    swarm.filter = (from, _to, frame) => {
      if (from !== "a" || frame.type !== "chunk" || frame.payload.length === 8) return frame; // 8: the end of the list
      const payload = frame.payload.slice();
      if (b.exchange.faults === 0) payload[0] ^= 1;
      return { ...frame, payload };
    };
    const name = swarm.want("b", blob);
    swarm.settle();
    expect(b.closed).toHaveLength(1);
    swarm.link("a", "b"); // it comes back: nothing is asked of it, and nothing is answered
    swarm.settle();
    expect(b.fetched.size).toBe(0);
    swarm.link("c", "b");
    swarm.settle();
    expect(same(b.fetched.get(name), blob)).toBe(true);
  });

  test("a frame that does not decode, a chunk without a place and a flood of chunks that nobody asked for end the link", () => {
    const blob = blobOf(3 * pieceBytes);
    const name = tinyPieces.nameOf(blob);
    const stray = { type: "chunk", request: 77, offset: 0, payload: new Uint8Array(16_384) } as const;
    const attacks: [string, (swarm: TestSwarm) => void][] = [
      ["does not decode", (swarm) => swarm.input("b", { type: "frame", from: "a", bytes: Uint8Array.of(99, 2, 0, 0) })],
      [
        "nobody asked for",
        (swarm) => {
          for (let i = 0; i < 65; i++) swarm.frame("a", "b", stray);
        },
      ],
      [
        "no place",
        (swarm) => {
          swarm.want("b", blob);
          swarm.frame("a", "b", { type: "have", name, first: 0, bitmap: new Uint8Array(0) });
          swarm.frame("a", "b", { type: "chunk", request: 1, offset: 3, payload: new Uint8Array(16) });
        },
      ],
    ];
    for (const [reason, attack] of attacks) {
      const swarm = new TestSwarm();
      swarm.add("a");
      const b = swarm.add("b");
      swarm.link("a", "b");
      attack(swarm);
      expect(b.closed).toEqual([expect.stringContaining(reason)]);
      expect(b.exchange.faults).toBeGreaterThan(0);
    }
  });

  test("a size that was announced wrong is nobody's fault but the announcer's: of one piece and of many", () => {
    for (const [true_, announced] of [
      [50, 40],
      [50, 60],
      [5 * pieceBytes, 5 * pieceBytes - 1],
      [40, 3 * pieceBytes],
    ]) {
      const swarm = new TestSwarm();
      const blob = blobOf(true_);
      swarm.add("a", blob);
      const b = swarm.add("b");
      swarm.link("a", "b");
      swarm.want("b", blob, { bytes: announced });
      swarm.pass(60_000);
      expect(b.fetched.size).toBe(0);
      expect(b.closed).toEqual([]);
      if (announced > 3 * pieceBytes || true_ > announced) expect(b.failed.join()).toContain(`it has ${true_} bytes`);
    }
  });

  test("floods of wants and requests are refused, counted, and end the link", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(4 * pieceBytes);
    const a = swarm.add("a", blob);
    swarm.add("b");
    swarm.link("a", "b");
    let answers = 0;
    swarm.filter = () => {
      answers += 1;
      return undefined;
    };
    for (let i = 0; i < 2_000 && a.closed.length === 0; i++)
      swarm.frame("b", "a", { type: "want", name: i.toString(16).padStart(64, "0") });
    swarm.settle();
    expect(a.closed).toEqual(["asks for too many blobs"]);
    expect(answers).toBeLessThan(300);
    const c = swarm.add("c", blob);
    swarm.link("b", "c");
    const name = tinyPieces.nameOf(blob);
    swarm.frame("b", "c", { type: "ask", request: 1, name, piece: 0, again: true }); // not interested: nothing is read
    swarm.frame("b", "c", { type: "want", name });
    for (let request = 2; request < 100 && c.closed.length === 0; request++)
      swarm.frame("b", "c", { type: "ask", request, name, piece: 0, again: true });
    expect(c.closed).toEqual(["has too many requests open"]);
  });

  test("any frames from a stranger: no exception, and an honest link beside it serves all the same (seed 1)", () => {
    const blobs = [blobOf(5 * pieceBytes), blobOf(pieceBytes, 2)];
    const names = blobs.map((blob) => tinyPieces.nameOf(blob));
    const u32 = fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 0xffff_ffff }));
    const anyName = fc.oneof(
      fc.constantFrom(...names),
      fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytesToHex),
    );
    const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
      fc.record({ type: fc.constantFrom("want" as const, "unwant" as const), name: anyName }),
      fc.record({
        type: fc.constant("have" as const),
        name: anyName,
        first: fc.nat(10).map((byte) => 8 * byte),
        bitmap: fc.uint8Array({ maxLength: 4 }),
      }),
      fc.record({
        type: fc.constant("ask" as const),
        request: u32,
        name: anyName,
        piece: fc.oneof(fc.nat(8), fc.constant(PIECE_LIST)),
        again: fc.boolean(),
      }),
      fc.record({ type: fc.constant("cancel" as const), request: u32 }),
      fc.record({
        type: fc.constant("chunk" as const),
        request: u32,
        offset: fc.oneof(
          fc.nat(5).map((i) => 16 * i),
          u32,
        ),
        payload: fc.uint8Array({ maxLength: 16 }),
      }),
      fc.record({ type: fc.constant("ack" as const), request: u32, offset: u32, bytes: u32 }),
      fc.record({
        type: fc.constant("refuse" as const),
        request: u32,
        code: fc.constantFrom("not-here" as const, "no-such-piece" as const, "busy" as const),
      }),
    );
    const bytes = fc.oneof({ weight: 20, arbitrary: anyFrame.map(encodeFrame) }, fc.uint8Array({ maxLength: 60 }));
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 60 }), fc.nat(10), (frames, between) => {
        const swarm = new TestSwarm();
        swarm.add("honest", blobs[0]);
        const b = swarm.add("b", blobs[1]);
        swarm.add("stranger");
        swarm.link("stranger", "b");
        swarm.link("honest", "b");
        swarm.want("b", blobs[0]);
        for (const frame of frames) {
          swarm.input("b", { type: "frame", from: "stranger", bytes: frame });
          for (let i = 0; i < between; i++) swarm.deliver();
        }
        swarm.pass(60_000);
        expect(same(b.fetched.get(names[0]), blobs[0])).toBe(true);
      }),
      { numRuns: 50, seed: 1 },
    );
  });
});

describe("[R39] links that come and go", () => {
  test("at any moment, in any order: in the end everybody has everything, and nobody is blamed (seed 1)", () => {
    const peers = ["a", "b", "c", "d", "e"];
    const pair = fc.tuple(fc.constantFrom(...peers), fc.constantFrom(...peers)).filter(([a, b]) => a !== b);
    const event = fc.record({ pair, up: fc.boolean(), after: fc.nat(25) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const swarm = new TestSwarm();
        const blobs = peers.map((_, i) => blobOf((1 + i) * pieceBytes - i, i));
        for (const [i, peer] of peers.entries()) swarm.add(peer, blobs[i]);
        for (const [i, peer] of peers.entries())
          for (const [j, blob] of blobs.entries()) if (i !== j) swarm.want(peer, blob);
        for (const {
          pair: [a, b],
          up,
          after,
        } of events) {
          if (up) swarm.link(a, b);
          else swarm.cut(a, b);
          for (let i = 0; i < after; i++) swarm.deliver();
        }
        for (const [i, peer] of peers.entries()) swarm.link(peer, peers[(i + 1) % peers.length]); // a ring is enough
        swarm.pass(120_000);
        for (const [i, peer] of peers.entries()) {
          expect(swarm.peers.get(peer)!.closed).toEqual([]);
          for (const [j, blob] of blobs.entries())
            if (i !== j) expect(same(swarm.peers.get(peer)!.fetched.get(tinyPieces.nameOf(blob)), blob)).toBe(true);
        }
      }),
      { numRuns: 40, seed: 1 },
    );
  });
});

describe("[R40] the host last", () => {
  const blob = blobOf(12 * pieceBytes);
  const name = tinyPieces.nameOf(blob);

  test("not while a link has it; at once when nobody is there, or none that is has it or wants it", () => {
    const swarm = new TestSwarm();
    swarm.host.set(name, blob);
    const alone = swarm.add("alone");
    swarm.want("alone", blob, { host: "last" });
    expect(same(alone.fetched.get(name), blob)).toBe(true);
    swarm.add("idle");
    const b = swarm.add("b");
    swarm.link("idle", "b");
    swarm.want("b", blob, { host: "last" });
    swarm.settle();
    expect(b.bytesFromHost).toBe(blob.length);
    const c = swarm.add("c");
    swarm.link("b", "c");
    swarm.want("c", blob, { host: "last" });
    swarm.settle();
    expect(same(c.fetched.get(name), blob)).toBe(true);
    expect(c.bytesFromHost).toBe(0);
  });

  test("peers who all want what none has wait, then ask for different pieces and give them to each other", () => {
    const swarm = new TestSwarm();
    swarm.host.set(name, blob);
    const peers = ["a", "b", "c", "d"];
    for (const peer of peers) swarm.add(peer);
    for (const [i, one] of peers.entries()) for (const other of peers.slice(i + 1)) swarm.link(one, other);
    for (const peer of peers) swarm.want(peer, blob, { host: "last" });
    swarm.pass(1_400);
    for (const peer of peers) expect(swarm.peers.get(peer)!.bytesFromHost).toBe(0);
    swarm.pass(10_000);
    let fromHost = 0;
    for (const peer of peers) {
      expect(same(swarm.peers.get(peer)!.fetched.get(name), blob)).toBe(true);
      fromHost += swarm.peers.get(peer)!.bytesFromHost;
    }
    expect(fromHost).toBeLessThan(2 * blob.length);
  });

  test("a checkpoint at once; a link on its way up is waited for, but not for long", () => {
    const swarm = new TestSwarm();
    swarm.host.set(name, blob);
    const a = swarm.add("a");
    swarm.input("a", { type: "link-coming", peer: "b" });
    swarm.want("a", blob, { host: "at-once" });
    expect(a.bytesFromHost).toBe(blob.length);
    const c = swarm.add("c");
    swarm.input("c", { type: "link-coming", peer: "b" });
    swarm.want("c", blob, { host: "last", urgency: "background" });
    swarm.pass(1_400);
    expect(c.bytesFromHost).toBe(0);
    swarm.pass(1_200);
    expect(same(c.fetched.get(name), blob)).toBe(true);
    swarm.input("c", { type: "drop", names: [name] });
    swarm.pass(5_000);
    swarm.input("c", { type: "link-coming", peer: "b" }); // another attempt: not waited for any more
    c.fetched.clear();
    swarm.want("c", blob, { host: "last" });
    expect(c.fetched.size).toBe(1);
  });

  test("who joins waits for its first link with what a round needs: the host serves it none when that comes up", () => {
    for (const comesUp of [true, false]) {
      const swarm = new TestSwarm();
      swarm.host.set(name, blob);
      swarm.add("b", blob);
      const a = swarm.add("a");
      swarm.input("a", { type: "link-coming", peer: "b" });
      swarm.want("a", blob, { host: "last" });
      swarm.pass(4_900);
      expect(a.fetched.size).toBe(0);
      if (comesUp) swarm.link("a", "b");
      swarm.pass(200);
      expect(same(a.fetched.get(name), blob)).toBe(true);
      expect(a.bytesFromHost).toBe(comesUp ? 0 : blob.length);
    }
  });

  test("a link that has just come up and does not answer is waited for with what a round needs, five seconds, once; with text one", () => {
    for (const [urgency, waitMs] of [
      ["round", 5_000],
      ["background", 1_000],
    ] as const) {
      const swarm = new TestSwarm();
      swarm.host.set(name, blob);
      const a = swarm.add("a");
      swarm.add("b");
      swarm.link("a", "b");
      swarm.filter = (from, _to, frame) => (from === "b" ? undefined : frame);
      swarm.want("a", blob, { host: "last", urgency });
      swarm.pass(waitMs - 1);
      expect(a.bytesFromHost).toBe(0);
      swarm.pass(2_500); // and once that link is no hope any more
      expect(a.bytesFromHost).toBe(blob.length);
      swarm.input("a", { type: "drop", names: [name] });
      swarm.want("a", blob, { host: "last", urgency });
      swarm.pass(3_500);
      expect(a.bytesFromHost).toBe(2 * blob.length);
    }
  });

  test("a host that is away is asked again with growing pauses, and each failure is told; never, when it keeps none", () => {
    const swarm = new TestSwarm();
    swarm.host.set(name, blob);
    swarm.hostUp = false;
    const a = swarm.add("a");
    swarm.want("a", blob, { host: "last" });
    swarm.pass(60_000);
    expect(a.failed.length).toBeGreaterThan(6);
    expect(a.failed.length).toBeLessThan(14);
    swarm.hostUp = true;
    swarm.pass(11_000);
    expect(same(a.fetched.get(name), blob)).toBe(true);
    const b = swarm.add("b");
    swarm.want("b", blob);
    swarm.pass(20_000);
    expect(b.bytesFromHost).toBe(0);
    expect(b.failed).toContain("no peer that is linked has it");
  });
});
