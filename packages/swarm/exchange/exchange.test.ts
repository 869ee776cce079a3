import { describe, expect, test } from "vitest";
import { CHUNK_BYTES, type Frame, PIECE_BYTES, PIECE_LIST } from "#wire";
import { wirePieces } from "./pieces.ts";
import { blobOf, TestSwarm, tinyPieces } from "./test-given.ts";

/** Arrays of this size are compared by toEqual in seconds. */
const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;

const { pieceBytes, chunkBytes, windowBytes } = tinyPieces;

describe("[R39] blobs between peers", () => {
  test.each([0, 1, CHUNK_BYTES, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES - 7])(
    "a blob of %i bytes arrives whole, in real pieces",
    (bytes) => {
      const swarm = new TestSwarm(wirePieces);
      const blob = blobOf(bytes);
      swarm.add("a", blob);
      const b = swarm.add("b");
      swarm.link("a", "b");
      const name = swarm.want("b", blob);
      swarm.settle();
      expect(same(b.fetched.get(name), blob)).toBe(true);
    },
  );

  test("interest first: a link that gets the blob later says so then", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(5 * pieceBytes);
    swarm.add("a");
    const b = swarm.add("b");
    swarm.link("a", "b");
    const name = swarm.want("b", blob);
    swarm.settle();
    expect(b.fetched.size).toBe(0);
    swarm.give("a", blob);
    swarm.settle();
    expect(same(b.fetched.get(name), blob)).toBe(true);
  });

  test("what was made on the other side of a link is asked for at once: no round trip to hear that it is there", () => {
    const swarm = new TestSwarm();
    swarm.add("a");
    const b = swarm.add("b");
    swarm.link("a", "b");
    const blob = blobOf(100);
    swarm.give("a", blob);
    swarm.settle();
    const asked: string[] = [];
    swarm.filter = (from, _to, frame) => {
      if (from === "b") asked.push(frame.type);
      return frame;
    };
    const name = swarm.want("b", blob);
    for (let sent = 0; sent < 3; sent++) swarm.deliver(); // all that b sent before it heard anything
    expect(asked.slice(0, 3)).toEqual(["want", "ask", "ask"]);
    swarm.settle();
    expect(same(b.fetched.get(name), blob)).toBe(true);
  });

  test("what was made here is served without reading it from the store, from the list that named it", () => {
    const swarm = new TestSwarm();
    const a = swarm.add("a");
    const b = swarm.add("b");
    swarm.link("a", "b");
    const blob = blobOf(300);
    const name = swarm.want("b", blob);
    swarm.input("a", { type: "hold", name, bytes: blob.length, made: { blob, list: tinyPieces.listOf(blob) } });
    swarm.settle();
    expect(a.stored.size).toBe(0);
    expect(same(b.fetched.get(name), blob)).toBe(true);
  });

  test("pieces are passed on as soon as each is checked: over four hops that all want it, from one who has it", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(60 * pieceBytes);
    const hops = ["a", "b", "c", "d", "e"];
    for (const hop of hops) swarm.add(hop);
    for (let i = 1; i < hops.length; i++) swarm.link(hops[i - 1], hops[i]);
    for (const hop of hops.slice(1)) swarm.want(hop, blob);
    let [lastGotOneAt, firstGotAllAt, at] = [0, 0, 0];
    swarm.filter = (from, _to, frame) => {
      at += 1;
      if (from === "d" && frame.type === "chunk" && lastGotOneAt === 0) lastGotOneAt = at;
      if (firstGotAllAt === 0 && swarm.peers.get("b")!.fetched.size > 0) firstGotAllAt = at;
      return frame;
    };
    const name = swarm.give("a", blob);
    swarm.settle();
    expect(same(swarm.peers.get("e")!.fetched.get(name), blob)).toBe(true);
    expect(lastGotOneAt).toBeGreaterThan(0);
    expect(lastGotOneAt).toBeLessThan(firstGotAllAt);
  });

  test("several sources at once, each piece once", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(12 * pieceBytes);
    const b = swarm.add("b");
    const sources = ["a", "c", "d"];
    for (const source of sources) {
      swarm.add(source, blob);
      swarm.link(source, "b");
    }
    const name = swarm.want("b", blob);
    swarm.settle();
    expect(same(b.fetched.get(name), blob)).toBe(true);
    const chunks = sources.map((source) => swarm.peers.get(source)!.chunksSent.get("b") ?? 0);
    for (const sent of chunks) expect(sent).toBeGreaterThanOrEqual((3 * pieceBytes) / chunkBytes);
    const listChunks = Math.ceil(tinyPieces.listBytes(blob.length) / chunkBytes);
    expect(chunks.reduce((sum, sent) => sum + sent, 0)).toBe(blob.length / chunkBytes + listChunks);
  });

  test("the rarest pieces first", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(16 * pieceBytes);
    const name = tinyPieces.nameOf(blob);
    swarm.add("b");
    for (const link of ["a", "c", "d"]) {
      swarm.add(link);
      swarm.link(link, "b");
    }
    const asked: number[] = [];
    swarm.filter = (from, _to, frame) => {
      if (from === "b" && frame.type === "ask" && frame.piece >= 0) asked.push(frame.piece);
      return from === "b" && frame.type === "ask" && frame.piece >= 0 ? undefined : frame;
    };
    swarm.want("b", blob);
    swarm.settle();
    const have = (link: string, ...bitmap: number[]) =>
      swarm.frame(link, "b", { type: "have", name, first: 0, bitmap: Uint8Array.from(bitmap) });
    have("c", 0x7f, 0xff); // all but piece 7
    have("d", 0x7f, 0xff);
    expect(asked).toEqual([]);
    swarm.give("a", blob); // it gives the list; then a is the only one that has piece 7
    swarm.settle();
    expect(asked).toContain(7);
    expect(asked.length).toBeLessThan(16);
  });

  test("a link lost in the middle: checked pieces stay, and the next source goes on from there", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(8 * pieceBytes);
    swarm.add("a", blob);
    swarm.add("c", blob);
    const b = swarm.add("b");
    swarm.link("a", "b");
    const asked: string[] = [];
    let chunks = 0;
    swarm.filter = (from, to, frame) => {
      if (frame.type === "ask" && frame.piece >= 0) asked.push(`${to}:${frame.piece}`);
      if (from === "a" && frame.type === "chunk" && ++chunks === 22) {
        swarm.cut("a", "b");
        swarm.link("b", "c");
        return undefined;
      }
      return frame;
    };
    const name = swarm.want("b", blob);
    swarm.settle();
    expect(same(b.fetched.get(name), blob)).toBe(true);
    const fromC = asked.filter((ask) => ask.startsWith("c:")).map((ask) => ask.slice(2));
    expect(fromC.length).toBeGreaterThan(0);
    expect(fromC.length).toBeLessThan(8);
    expect(new Set(fromC).size).toBe(fromC.length);
  });

  test("chunks may come in any order, and twice", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(3 * pieceBytes);
    swarm.add("a", blob);
    const b = swarm.add("b");
    swarm.link("a", "b");
    const held: Parameters<TestSwarm["filter"]>[2][] = [];
    swarm.filter = (from, _to, frame) => {
      if (from !== "a" || frame.type !== "chunk") return frame;
      held.push(frame);
      return undefined;
    };
    const name = swarm.want("b", blob);
    for (let i = 0; i < 20 && b.fetched.size === 0; i++) {
      swarm.settle();
      for (const frame of held.splice(0).reverse()) {
        swarm.frame("a", "b", frame);
        swarm.frame("a", "b", frame);
      }
    }
    expect(same(b.fetched.get(name), blob)).toBe(true);
    expect(b.closed).toEqual([]);
  });

  test("what is not wanted any more is cancelled, and holds nobody's window", () => {
    const swarm = new TestSwarm();
    const [blob, other] = [blobOf(8 * pieceBytes), blobOf(2 * pieceBytes, 2)];
    swarm.add("a", blob, other);
    const b = swarm.add("b");
    swarm.link("a", "b");
    const name = swarm.want("b", blob);
    for (let i = 0; i < 12; i++) swarm.deliver();
    swarm.input("b", { type: "unwant", name });
    const next = swarm.want("b", other);
    swarm.settle();
    expect(b.fetched.has(name)).toBe(false);
    expect(same(b.fetched.get(next), other)).toBe(true);
    expect(b.closed).toEqual([]);
  });

  test("a blob that turns up otherwise is not asked for any more, and is passed on", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(2 * pieceBytes);
    const b = swarm.add("b");
    const c = swarm.add("c");
    swarm.link("b", "c");
    const name = swarm.want("b", blob);
    swarm.want("c", blob);
    swarm.settle();
    swarm.give("b", blob);
    swarm.settle();
    expect(b.fetched.size).toBe(0);
    expect(same(c.fetched.get(name), blob)).toBe(true);
  });

  test("a blob that left the store is refused, and comes from elsewhere", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(2 * pieceBytes);
    const a = swarm.add("a", blob);
    swarm.add("c", blob);
    const b = swarm.add("b");
    a.stored.clear(); // another tab emptied it
    swarm.link("a", "b");
    const name = swarm.want("b", blob);
    swarm.settle();
    swarm.link("b", "c");
    swarm.settle();
    expect(same(b.fetched.get(name), blob)).toBe(true);
    expect(b.closed).toEqual([]);
  });
});

describe("[R39] background", () => {
  const bulk = blobOf(40 * pieceBytes, 3);
  const update = blobOf(6 * pieceBytes, 4);

  test("gives way to what a round needs, on a link that has both", () => {
    const swarm = new TestSwarm();
    swarm.add("a", bulk, update);
    const b = swarm.add("b");
    swarm.link("a", "b");
    const bulkName = swarm.want("b", bulk, { urgency: "background" });
    for (let i = 0; i < 40; i++) swarm.deliver();
    expect(b.chunksReceived).toBeGreaterThan(0);
    const before = b.chunksReceived;
    const name = swarm.want("b", update);
    while (!b.fetched.has(name)) expect(swarm.deliver()).toBe(true);
    // What was asked of the link before (two windows and a piece) and what it asked for while the answer to its interest was on the way.
    const asked = (2 * windowBytes + pieceBytes) / chunkBytes;
    expect(b.chunksReceived - before - update.length / chunkBytes).toBeLessThanOrEqual(2 * asked);
    swarm.settle();
    expect(same(b.fetched.get(bulkName), bulk)).toBe(true);
  });

  test("and at the host", () => {
    const swarm = new TestSwarm();
    const b = swarm.add("b");
    const names = [bulk, update].map((blob) => swarm.rules.nameOf(blob));
    for (const [i, blob] of [bulk, update].entries()) swarm.host.set(names[i], blob);
    swarm.hostUp = false;
    swarm.want("b", bulk, { host: "last", urgency: "background" });
    swarm.want("b", update, { host: "last" });
    swarm.settle();
    expect(b.fetched.size).toBe(0);
    swarm.hostUp = true;
    swarm.pass(60_000);
    expect([...b.fetched.keys()]).toEqual(names.reverse());
  });
});

describe("[R39] pieces that come before their list", () => {
  test("are asked for beside it, count once it is here, and cost who sent a wrong one", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(5 * pieceBytes);
    swarm.add("honest", blob);
    swarm.add("liar", blob);
    const b = swarm.add("b");
    swarm.link("honest", "b");
    swarm.link("liar", "b");
    const held: { from: string; frame: Frame }[] = [];
    const listRequests = new Set<number>();
    let gained = 0;
    swarm.filter = (from, to, frame) => {
      if (frame.type === "ask" && frame.piece === PIECE_LIST) listRequests.add(frame.request);
      if (to === "b" && frame.type === "chunk" && listRequests.has(frame.request) && held.length < 3) {
        held.push({ from, frame });
        return undefined;
      }
      if (from === "b" && frame.type === "have") gained += 1;
      return from === "liar" && frame.type === "chunk" ? { ...frame, payload: frame.payload.map((x) => x ^ 1) } : frame;
    };
    swarm.frame("honest", "b", { type: "want", name: swarm.want("b", blob) });
    gained = 0;
    swarm.settle();
    expect(held).toHaveLength(3); // the list's chunks: all else came
    expect(gained).toBe(1); //        its first answer: it has nothing yet
    expect(b.closed).toEqual([]);
    for (const { from, frame } of held) swarm.frame(from, "b", frame);
    swarm.settle();
    expect(b.closed).toEqual([expect.stringMatching(/^sent a wrong piece/)]);
    expect(same(b.fetched.values().next().value, blob)).toBe(true);
  });
});

describe("[R39] the window", () => {
  test("unacknowledged bytes never pass it, whatever is asked; two connections have two", () => {
    for (const connections of [1, 2]) {
      const swarm = new TestSwarm();
      const blobs = [blobOf(9 * pieceBytes), blobOf(7 * pieceBytes, 2)];
      swarm.add("a", ...blobs);
      const b = swarm.add("b");
      swarm.link("a", "b");
      swarm.input("a", { type: "connections", peer: "b", open: connections, sending: connections });
      let [onTheWay, largest] = [0, 0];
      swarm.filter = (_from, _to, frame) => {
        if (frame.type === "ack") onTheWay -= frame.bytes;
        return frame;
      };
      const step = swarm.peers.get("a")!.exchange.step.bind(swarm.peers.get("a")!.exchange);
      swarm.peers.get("a")!.exchange.step = (now, input) => {
        const outputs = step(now, input);
        for (const output of outputs)
          if (output.type === "send" && output.bytes[0] === 6) onTheWay += output.bytes.length - 12;
        largest = Math.max(largest, onTheWay);
        return outputs;
      };
      for (const blob of blobs) swarm.want("b", blob);
      swarm.settle();
      expect(b.fetched.size).toBe(2);
      expect(largest).toBeGreaterThan((connections - 0.5) * windowBytes);
      expect(largest).toBeLessThanOrEqual(connections * windowBytes);
    }
  });

  test("twice as much is asked of a link once it has several connections, whoever opened them", () => {
    for (const open of [1, 2, 8]) {
      const swarm = new TestSwarm();
      const blob = blobOf(40 * pieceBytes);
      swarm.add("a", blob);
      swarm.add("b");
      swarm.link("a", "b");
      swarm.input("b", { type: "connections", peer: "a", open, sending: 1 });
      let asked = 0;
      swarm.filter = (_from, _to, frame) => {
        if (frame.type === "ask" && frame.piece !== PIECE_LIST) asked += pieceBytes;
        return frame.type === "ask" && frame.piece !== PIECE_LIST ? undefined : frame;
      };
      swarm.want("b", blob);
      swarm.settle();
      expect(asked).toBe((open === 1 ? 2 : 4) * windowBytes);
    }
  });

  test("without acknowledgements exactly one window is sent; later both sides give up, and the link serves again", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(7 * pieceBytes); // its list has 64 bytes, so that chunks fill the window exactly
    swarm.add("a", blob);
    const b = swarm.add("b");
    swarm.link("a", "b");
    let [sent, deaf] = [0, false];
    swarm.filter = (from, _to, frame) => {
      if (from === "b" && frame.type === "ask" && frame.piece !== PIECE_LIST) deaf = true;
      if (frame.type === "chunk" && deaf) sent += frame.payload.length;
      return deaf && (frame.type === "ack" || frame.type === "chunk" || frame.type === "cancel") ? undefined : frame;
    };
    const name = swarm.want("b", blob);
    swarm.settle();
    expect(sent).toBe(windowBytes);
    swarm.pass(9_999);
    swarm.filter = (_from, _to, frame) => frame;
    swarm.pass(30_000);
    expect(same(b.fetched.get(name), blob)).toBe(true);
  });

  test("acknowledgements of what was never sent open nothing", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(8 * pieceBytes);
    const name = tinyPieces.nameOf(blob);
    swarm.add("a", blob);
    swarm.add("b");
    swarm.link("a", "b");
    let sent = 0;
    swarm.filter = (from, _to, frame) => {
      if (from === "a" && frame.type === "chunk") sent += frame.payload.length;
      return undefined;
    };
    swarm.frame("b", "a", { type: "want", name });
    for (let request = 0; request < 8; request++)
      swarm.frame("b", "a", { type: "ask", request, name, piece: request, again: false });
    for (let request = 0; request < 8; request++)
      swarm.frame("b", "a", { type: "ack", request: 7 - request, offset: 1, bytes: 1e9 });
    swarm.frame("b", "a", { type: "ack", request: 7, offset: 0, bytes: 4 * chunkBytes });
    swarm.settle();
    expect(sent).toBe(windowBytes);
  });
});

describe("[R41] a share for everybody", () => {
  test("beyond its share a peer says busy; who has nobody else asks again, says so, and is served", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(4 * pieceBytes);
    swarm.add("maker", blob);
    const takers = ["a", "b", "c"];
    for (const taker of takers) {
      swarm.add(taker);
      swarm.link("maker", taker);
    }
    const [busy, again] = [new Set<string>(), new Set<string>()];
    swarm.filter = (from, to, frame) => {
      if (frame.type === "refuse" && frame.code === "busy") busy.add(to);
      if (frame.type === "ask" && frame.again) again.add(from);
      return frame;
    };
    const name = tinyPieces.nameOf(blob);
    for (const taker of takers) {
      swarm.want(taker, blob);
      swarm.settle();
    }
    expect(busy).toEqual(new Set(["b", "c"])); // one and a half copies are the maker's share
    expect(swarm.peers.get("c")!.fetched.has(name)).toBe(false);
    swarm.pass(2_000);
    for (const taker of takers) expect(same(swarm.peers.get(taker)!.fetched.get(name), blob)).toBe(true);
    expect(again).toEqual(new Set(["b", "c"]));
  });

  test("who hears busy takes the piece from others that have it", () => {
    const swarm = new TestSwarm();
    const blob = blobOf(4 * pieceBytes);
    const maker = swarm.add("maker", blob);
    const takers = ["a", "b", "c", "d", "e"];
    for (const taker of takers) swarm.add(taker);
    for (const taker of takers) swarm.link("maker", taker);
    for (const [i, one] of takers.entries()) for (const other of takers.slice(i + 1)) swarm.link(one, other);
    for (const taker of takers) swarm.want(taker, blob);
    swarm.pass(3_000);
    for (const taker of takers) expect(swarm.peers.get(taker)!.fetched.size).toBe(1);
    const sent = [...maker.chunksSent.values()].reduce((sum, chunks) => sum + chunks, 0);
    const copies = (sent * chunkBytes) / blob.length;
    expect(copies).toBeLessThan(3);
  });
});
