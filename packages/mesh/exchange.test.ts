import { describe, expect, test } from "vitest";
import { blobName, CHUNK_BYTES, decodeFrame, encodeFrame, type Frame, PIECE_BYTES, WINDOW_BYTES } from "#wire";
import { Exchange, LINK_DEAD_MS, PROBE_MS, TICK_MS } from "./exchange.ts";
import { REQUEST_TIMEOUT_MS } from "./fetching.ts";
import { SERVE_TIMEOUT_MS } from "./serving.ts";

/** Deterministic bytes, different in every piece. */
function blobOf(bytes: number, seed = 1): Uint8Array {
  const blob = new Uint8Array(bytes);
  let state = seed;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    blob[i] = state >>> 24;
  }
  return blob;
}

/** Peers in one process. Frames wait in a queue until `settle` delivers them; `filter` may change, drop or watch each one. */
class FakeMesh {
  now = 0;
  readonly peers = new Map<
    string,
    { exchange: Exchange; blobs: Map<string, Uint8Array>; blamed: string[]; closed: string[] }
  >();
  filter: (from: string, to: string, frame: Frame) => Frame | undefined = (_from, _to, frame) => frame;
  readonly #queue: { from: string; to: string; bytes: Uint8Array }[] = [];
  readonly #links = new Set<string>();

  add(name: string, ...blobs: Uint8Array[]) {
    const blobByName = new Map(blobs.map((blob) => [blobName(blob), blob]));
    const blamed: string[] = [];
    const closed: string[] = [];
    const exchange = new Exchange({
      port: {
        send: (to, bytes) => this.#links.has(`${name}>${to}`) && this.#queue.push({ from: name, to, bytes }),
        close: (peer) => {
          closed.push(peer);
          this.cut(name, peer);
        },
      },
      read: async (blob) => blobByName.get(blob),
      now: () => this.now,
      onMisbehaviour: (peer) => blamed.push(peer),
    });
    const peer = { exchange, blobs: blobByName, blamed, closed };
    this.peers.set(name, peer);
    return peer;
  }

  link(a: string, b: string): void {
    this.#links.add(`${a}>${b}`).add(`${b}>${a}`);
    this.peers.get(a)!.exchange.linkUp(b);
    this.peers.get(b)!.exchange.linkUp(a);
  }

  cut(a: string, b: string): void {
    for (const link of [`${a}>${b}`, `${b}>${a}`]) this.#links.delete(link);
    this.peers.get(a)!.exchange.linkDown(b);
    this.peers.get(b)!.exchange.linkDown(a);
  }

  /** Delivers until nothing is on the way. Promises of reads settle in between. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 20; ) {
      const message = this.#queue.shift();
      if (!message) {
        idle++;
        await Promise.resolve();
        continue;
      }
      idle = 0;
      if (!this.#links.has(`${message.from}>${message.to}`)) continue;
      const frame = this.filter(message.from, message.to, decodeFrame(message.bytes)!);
      if (frame) this.peers.get(message.to)!.exchange.receive(message.from, encodeFrame(frame));
    }
  }

  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    while (this.now < until) {
      this.now = Math.min(until, this.now + 500);
      for (const { exchange } of this.peers.values()) exchange.tick();
      await this.settle();
    }
  }
}

const fetched = (promise: Promise<Uint8Array>) => promise.catch((error: Error) => error.message);

describe("exchange", () => {
  test.each([1, CHUNK_BYTES, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES - 7])(
    "a blob of %i bytes arrives whole",
    async (bytes) => {
      const mesh = new FakeMesh();
      const blob = blobOf(bytes);
      mesh.add("a", blob);
      const { exchange } = mesh.add("b");
      mesh.link("a", "b");
      const promise = exchange.fetch(blobName(blob), bytes, ["a"]);
      await mesh.settle();
      expect(blobName(await promise)).toBe(blobName(blob));
    },
  );

  test("a link lost in the middle: the next source goes on at the missing piece", async () => {
    const mesh = new FakeMesh();
    const blob = blobOf(4 * PIECE_BYTES);
    mesh.add("a", blob);
    mesh.add("c", blob);
    const { exchange } = mesh.add("b");
    mesh.link("a", "b");
    const asked: string[] = [];
    let chunksFromA = 0;
    mesh.filter = (from, to, frame) => {
      if (frame.type === "want" && !frame.pieceList) asked.push(`${to}:${frame.offset / PIECE_BYTES}`);
      if (from === "a" && frame.type === "chunk" && !frame.pieceList && ++chunksFromA === 24) {
        mesh.link("b", "c"); // in the middle of the second piece
        const again = exchange.fetch(blobName(blob), blob.length, ["c"]);
        expect(again).toBe(promise);
        mesh.cut("a", "b");
        return undefined;
      }
      return frame;
    };
    const promise = exchange.fetch(blobName(blob), blob.length, ["a"]);
    await mesh.settle();
    expect(blobName(await promise)).toBe(blobName(blob));
    expect(asked.filter((want) => want.endsWith(":0"))).toEqual(["a:0"]); // the finished piece was not asked for again
    expect(asked.filter((want) => want.startsWith("c:")).length).toBeGreaterThan(0);
  });

  test("pieces come from several sources at once", async () => {
    const mesh = new FakeMesh();
    const blob = blobOf(6 * PIECE_BYTES);
    const { exchange } = mesh.add("b");
    const chunksBySource = new Map<string, number>();
    for (const source of ["a", "c", "d"]) {
      mesh.add(source, blob);
      mesh.link(source, "b");
    }
    mesh.filter = (from, _to, frame) => {
      if (frame.type === "chunk") chunksBySource.set(from, (chunksBySource.get(from) ?? 0) + 1);
      return frame;
    };
    const promise = exchange.fetch(blobName(blob), blob.length, ["a", "c", "d"]);
    await mesh.settle();
    expect(blobName(await promise)).toBe(blobName(blob));
    expect([...chunksBySource.keys()].sort()).toEqual(["a", "c", "d"]);
    expect([...chunksBySource.values()].reduce((sum, chunks) => sum + chunks, 0)).toBe(
      (6 * PIECE_BYTES) / CHUNK_BYTES + 1,
    );
  });

  test("a source that sends a wrong piece is blamed and asked for nothing any more", async () => {
    const mesh = new FakeMesh();
    const [blob, other] = [blobOf(3 * PIECE_BYTES), blobOf(100, 2)];
    mesh.add("a", blob, other);
    mesh.add("c", blob);
    const b = mesh.add("b");
    mesh.link("a", "b");
    mesh.link("c", "b");
    mesh.filter = (from, _to, frame) => {
      if (from !== "a" || frame.type !== "chunk" || frame.pieceList) return frame;
      const payload = frame.payload.slice();
      payload[0] ^= 1;
      return { ...frame, payload };
    };
    const promise = b.exchange.fetch(blobName(blob), blob.length, ["a", "c"]);
    await mesh.settle();
    expect(blobName(await promise)).toBe(blobName(blob));
    expect(b.blamed).toEqual(["a"]);
    expect(await fetched(b.exchange.fetch(blobName(other), other.length, ["a"]))).toContain("sent wrong bytes before");
  });

  test("a piece list of another name is worth nothing, and so is a size that the offer got wrong", async () => {
    const mesh = new FakeMesh();
    const blob = blobOf(1000);
    mesh.add("a", blob);
    const b = mesh.add("b");
    mesh.link("a", "b");
    const wrongSize = fetched(b.exchange.fetch(blobName(blob), 999, ["a"]));
    await mesh.settle();
    expect(await wrongSize).toContain("it has 1000 bytes, announced were 999");
    expect(b.blamed).toEqual([]);
    mesh.filter = (_from, _to, frame) =>
      frame.type === "chunk" ? { ...frame, payload: frame.payload.map((byte) => byte ^ 1) } : frame;
    const wrongList = fetched(b.exchange.fetch(blobName(blob), 1000, ["a"]));
    await mesh.settle();
    expect(await wrongList).toContain("piece list of another name");
    expect(b.blamed).toEqual(["a"]);
  });

  test("a peer without the blob refuses, and the next source is asked", async () => {
    const mesh = new FakeMesh();
    const blob = blobOf(1000);
    mesh.add("a");
    mesh.add("c", blob);
    const { exchange } = mesh.add("b");
    mesh.link("a", "b");
    mesh.link("c", "b");
    const promise = exchange.fetch(blobName(blob), 1000, ["a", "gone", "c"]);
    await mesh.settle();
    expect(blobName(await promise)).toBe(blobName(blob));
    const nowhere = fetched(exchange.fetch("f".repeat(64), 10, ["a", "gone"]));
    await mesh.settle();
    expect(await nowhere).toMatch(/a does not have it; gone has no link/);
  });

  test("unacknowledged bytes never pass the window, whatever is asked", async () => {
    const mesh = new FakeMesh();
    const blobs = [blobOf(3 * PIECE_BYTES), blobOf(2 * PIECE_BYTES, 2)];
    mesh.add("a", ...blobs);
    const { exchange } = mesh.add("b");
    mesh.link("a", "b");
    let [sent, acknowledged, largest] = [0, 0, 0];
    const ackedByRequest = new Map<number, number>();
    mesh.filter = (_from, _to, frame) => {
      if (frame.type === "chunk") sent += frame.payload.length;
      if (frame.type === "ack") {
        acknowledged += frame.received - (ackedByRequest.get(frame.request) ?? 0);
        ackedByRequest.set(frame.request, frame.received);
      }
      largest = Math.max(largest, sent - acknowledged);
      return frame;
    };
    const all = Promise.all(blobs.map((blob) => exchange.fetch(blobName(blob), blob.length, ["a"])));
    await mesh.settle();
    expect((await all).map(blobName)).toEqual(blobs.map(blobName));
    expect(largest).toBeGreaterThan(WINDOW_BYTES / 2);
    expect(largest).toBeLessThanOrEqual(WINDOW_BYTES);
  });

  test("without acknowledgements exactly one window is sent; later the request is given up and the link serves again", async () => {
    const mesh = new FakeMesh();
    const blob = blobOf(2 * PIECE_BYTES);
    mesh.add("a", blob);
    const { exchange } = mesh.add("b");
    mesh.link("a", "b");
    let [sent, deaf] = [0, true];
    mesh.filter = (_from, _to, frame) => {
      if (frame.type === "chunk" && !frame.pieceList) sent += frame.payload.length;
      return deaf && (frame.type === "ack" || frame.type === "chunk") && !frame.pieceList ? undefined : frame;
    };
    const promise = fetched(exchange.fetch(blobName(blob), blob.length, ["a"]));
    await mesh.settle();
    expect(sent).toBe(WINDOW_BYTES);
    await mesh.pass(REQUEST_TIMEOUT_MS);
    expect(await promise).toContain("was silent");
    deaf = false;
    await mesh.pass(SERVE_TIMEOUT_MS);
    const again = exchange.fetch(blobName(blob), blob.length, ["a"]);
    await mesh.settle();
    expect(blobName(await again)).toBe(blobName(blob));
  });

  test("chunks of a cancelled request are acknowledged, so that they do not hold the sender's window", async () => {
    const mesh = new FakeMesh();
    const [blob, other] = [blobOf(4 * PIECE_BYTES), blobOf(PIECE_BYTES, 2)];
    mesh.add("a", blob, other);
    const { exchange } = mesh.add("b");
    mesh.link("a", "b");
    let chunks = 0;
    mesh.filter = (_from, _to, frame) => {
      if (frame.type === "chunk" && ++chunks === 5) exchange.cancel(blobName(blob));
      return frame;
    };
    const cancelled = fetched(exchange.fetch(blobName(blob), blob.length, ["a"]));
    await mesh.settle();
    expect(await cancelled).toContain("cancelled");
    const next = exchange.fetch(blobName(other), other.length, ["a"]);
    await mesh.settle();
    expect(blobName(await next)).toBe(blobName(other));
  });

  test("a flood of requests is refused, and ranges outside of the blob are", async () => {
    const mesh = new FakeMesh();
    const blob = blobOf(PIECE_BYTES);
    const { exchange } = mesh.add("a", blob);
    mesh.add("b");
    mesh.link("a", "b");
    const refusals: number[] = [];
    mesh.filter = (_from, _to, frame) => {
      if (frame.type === "refuse") refusals.push(frame.code);
      return undefined; // b never answers
    };
    const want = (request: number, offset: number, bytes: number) =>
      exchange.receive(
        "b",
        encodeFrame({ type: "want", request, pieceList: false, name: blobName(blob), offset, bytes }),
      );
    want(1, 1, PIECE_BYTES);
    want(2, 0, PIECE_BYTES + 1);
    await mesh.settle();
    expect(refusals).toEqual([2, 2]);
    for (let request = 10; request < 30; request++) want(request, 0, PIECE_BYTES);
    await mesh.settle();
    expect(refusals.slice(2)).toEqual([3, 3, 3, 3]);
  });

  test("a frame that does not decode ends the link", async () => {
    const mesh = new FakeMesh();
    const a = mesh.add("a");
    mesh.add("b");
    mesh.link("a", "b");
    a.exchange.receive("b", Uint8Array.of(99, 1, 0, 0));
    expect(a.closed).toEqual(["b"]);
    expect(a.blamed).toEqual(["b"]);
  });

  test("pings keep a link alive and measure it; silence ends it; sleep of our own does not", async () => {
    const mesh = new FakeMesh();
    const a = mesh.add("a");
    mesh.add("b");
    mesh.link("a", "b");
    await mesh.pass(60_000);
    expect(a.closed).toEqual([]);
    expect(a.exchange.rttMs("b")).toBe(0);
    mesh.now += 3_600_000; // a closed lid
    await mesh.pass(5_000);
    expect(a.closed).toEqual([]);
    mesh.filter = () => undefined;
    await mesh.pass(LINK_DEAD_MS + 2_500);
    expect(a.closed).toEqual(["b"]);
  });

  test("a peer that is said to have left keeps its link if it answers, and loses it at once if not", async () => {
    const mesh = new FakeMesh();
    const a = mesh.add("a");
    mesh.add("b");
    mesh.link("a", "b");
    await mesh.pass(5_000);
    a.exchange.probe("b");
    await mesh.pass(2 * PROBE_MS);
    expect(a.closed).toEqual([]);
    mesh.filter = () => undefined; // its tab is closed
    a.exchange.probe("b");
    await mesh.pass(PROBE_MS + TICK_MS);
    expect(a.closed).toEqual(["b"]);
    a.exchange.probe("b"); // nobody there: nothing to ask
  });
});
