// How blobs spread through a mesh of degree 8 whose lines are all alike, and who sends how much: the exchange alone, no rounds.
//
//   contributors each hold one blob at t = 0, everybody wants all of them -> time until a peer has them, bytes that each peer sent

import { simulatedPieces } from "./blobs.ts";
import { Clock } from "./clock.ts";
import { ExchangeNode } from "./exchange-node.ts";
import { LocalClock } from "./local-clock.ts";
import { HOST, Network } from "./network.ts";
import { fakeHash, Random } from "./random.ts";

export interface SpreadOptions {
  readonly seed: number;
  readonly peers: number;
  readonly contributors: number;
  /** Of one blob. */
  readonly pieces: number;
  /** Of each line, up and down. */
  readonly mbit: number;
  readonly delayMs: number;
  /** Of the exchange; infinite: nobody ever says busy. */
  readonly share?: number;
  /** Real pieces have 256 KiB; smaller ones over a line that is as much slower take the same time, and less memory. */
  readonly shrink?: number;
}

export interface Spread {
  /** From t = 0 until a peer had all blobs: the median peer, and the last one. */
  readonly medianMs: number;
  readonly lastMs: number;
  /** What a perfect exchange takes: every peer's line full from start to end. */
  readonly lineMs: number;
  /** Bytes of pieces that each peer sent, sorted; of real ones, as if nothing had been shrunk. */
  readonly sent: readonly number[];
  readonly mostOverMedian: number;
  readonly bytesFromHost: number;
  /** Of everything else on links, for each byte of a piece. */
  readonly overhead: number;
}

const PIECE_BYTES = 256 * 1024;
const CHUNK_BYTES = 16 * 1024;
const CHUNK = 6; // the frame's type
const CHUNK_HEADER_BYTES = 12;
const CYCLES = 4;
const LIMIT_MS = 3_600_000;

export function spread(options: SpreadOptions): Spread {
  const { seed, peers, contributors, pieces, mbit, delayMs, share, shrink = 16 } = options;
  const [clock, random] = [new Clock(), new Random(seed)];
  const lineMbit = mbit / shrink;
  const network = new Network(clock, random, () => {}, {
    delayMs: [delayMs, delayMs],
    lineMbit: (end) => (end === HOST ? [10 * lineMbit, 10 * lineMbit] : [lineMbit, lineMbit]),
  });
  const rules = simulatedPieces(PIECE_BYTES / shrink, CHUNK_BYTES / shrink);
  const blobBytes = pieces * rules.pieceBytes;
  const ids = Array.from({ length: peers }, (_, i) => `${fakeHash("peer", i)}00`);
  const blobs = ids.slice(0, contributors).map((id) => fakeHash("blob", id));
  const sent = new Map(ids.map((id) => [id, 0]));
  let [other, bytesFromHost] = [0, 0];
  const doneMs: number[] = [];

  const nodes = ids.map((id, i) => {
    const here = new Set(i < contributors ? [blobs[i]] : []);
    const node = new ExchangeNode(
      random.int(2 ** 32),
      rules,
      {
        now: () => clock.now,
        blobs: { has: (name) => here.has(name), bytesOf: () => blobBytes },
        frame: (to, bytes) => {
          if (bytes[0] === CHUNK) sent.set(id, sent.get(id)! + bytes.length - CHUNK_HEADER_BYTES);
          other += bytes[0] === CHUNK ? CHUNK_HEADER_BYTES : bytes.length;
          network.frame(id, to, bytes);
        },
        close: () => {
          throw new Error(`seed ${seed}: an honest peer was cut off`);
        },
        after: (waitMs, run) => clock.after(waitMs, run),
        alarm: new LocalClock(clock, 0).alarm(),
        timer: (waitMs) => waitMs,
        askHost: (_name, _first, bytes, done) => {
          bytesFromHost += bytes;
          const serve = (answer: (bytes: number, run: () => void) => void) => answer(bytes, () => done(blobBytes));
          network.request(id, HOST, 0, serve, () => done(undefined));
        },
        fetched: (name) => {
          here.add(name);
          if (here.size === contributors) doneMs.push(clock.now);
        },
        failed: () => {},
      },
      share,
    );
    network.listen(id, { frame: (from, bytes) => node.input({ type: "frame", from, bytes }), closed: () => {} });
    return node;
  });

  for (const [a, b] of pairs(peers, random)) {
    network.link(ids[a], ids[b]);
    nodes[a].input({ type: "link-up", peer: ids[b] });
    nodes[b].input({ type: "link-up", peer: ids[a] });
  }
  for (const [i, node] of nodes.entries()) {
    if (i < contributors) node.input({ type: "hold", name: blobs[i], bytes: blobBytes });
    for (const [j, name] of blobs.entries())
      if (i !== j) node.input({ type: "want", name, bytes: blobBytes, host: "last", urgency: "round" });
  }
  if (contributors === 1) doneMs.push(0); // it has them all
  while (doneMs.length < peers && clock.now < LIMIT_MS && clock.next());
  if (doneMs.length < peers) throw new Error(`seed ${seed}: ${peers - doneMs.length} peers never had all blobs`);

  const bytes = [...sent.values()].map((count) => count * shrink).sort((a, b) => a - b);
  const total = bytes.reduce((sum, count) => sum + count, 0);
  const median = bytes[bytes.length >> 1];
  const largestNeed = (contributors - (contributors === peers ? 1 : 0)) * pieces * PIECE_BYTES;
  return {
    medianMs: doneMs[doneMs.length >> 1],
    lastMs: doneMs[doneMs.length - 1],
    lineMs: (largestNeed * 8) / (mbit * 1_000),
    sent: bytes,
    mostOverMedian: bytes[bytes.length - 1] / median,
    bytesFromHost: bytesFromHost * shrink,
    overhead: (other * shrink) / total,
  };
}

/** Everybody with everybody up to nine, else the union of four random Hamilton cycles, as the host plans it. */
function pairs(peers: number, random: Random): (readonly [number, number])[] {
  const found = new Map<number, readonly [number, number]>();
  const add = (a: number, b: number) => found.set(Math.min(a, b) * peers + Math.max(a, b), [a, b]);
  if (peers <= 2 * CYCLES + 1) {
    for (let a = 0; a < peers; a++) for (let b = a + 1; b < peers; b++) add(a, b);
    return [...found.values()];
  }
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const order = Array.from({ length: peers }, (_, i) => i);
    for (let i = peers - 1; i > 0; i--) {
      const j = random.int(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    for (let i = 0; i < peers; i++) add(order[i], order[(i + 1) % peers]);
  }
  return [...found.values()];
}
