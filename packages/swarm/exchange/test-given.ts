// Peers in one process, for the exchange's tests: frames wait in a queue until `settle` delivers them, stores answer at once, and a
// host that may be switched off counts what it serves.
import { decodeFrame, encodeFrame, type Frame } from "#wire";
import type { ExchangeOutput } from "./context.ts";
import { Exchange, type ExchangeInput } from "./exchange.ts";
import { type PieceRules, wirePieces } from "./pieces.ts";
import type { HostUse, Urgency } from "./wanted.ts";

/** Pieces of 64 bytes in chunks of 16, and a window of 8 chunks: blobs of a few hundred bytes are large ones. */
export const tinyPieces: PieceRules = {
  ...wirePieces,
  pieceBytes: 64,
  chunkBytes: 16,
  windowBytes: 128,
  listBytes: (blobBytes) => 8 + 8 * Math.max(1, Math.ceil(blobBytes / 64)),
  nameOf: (blob) => digest(tinyPieces.listOf(blob)),
  listOf(blob) {
    const list = new Uint8Array(this.listBytes(blob.length));
    new DataView(list.buffer).setUint32(0, blob.length, true);
    for (let piece = 0; 8 + 8 * piece < list.length; piece++)
      list.set(eightBytes(blob.subarray(piece * 64, piece * 64 + 64)), 8 + 8 * piece);
    return list;
  },
  decodeList(list, name) {
    if (digest(list) !== name) return undefined;
    const hashes = Array.from({ length: list.length / 8 - 1 }, (_, i) => list.subarray(8 + 8 * i, 16 + 8 * i));
    return { bytes: new DataView(list.buffer, list.byteOffset).getUint32(0, true), hashes };
  },
  isGood: ({ hashes }, index, piece) => eightBytes(piece).every((byte, i) => byte === hashes[index][i]),
};

/** FNV-1a, twice: equality is all that matters here. */
function eightBytes(bytes: Uint8Array): Uint8Array {
  let [a, b] = [0x811c_9dc5, 0x1234_5677];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x0100_0193);
    b = Math.imul(b ^ byte ^ (a >>> 24), 0x0100_0193);
  }
  const out = new Uint8Array(8);
  new DataView(out.buffer).setUint32(0, a >>> 0);
  new DataView(out.buffer).setUint32(4, b >>> 0);
  return out;
}

function digest(bytes: Uint8Array): string {
  const hex = [...eightBytes(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.repeat(4);
}

/** Deterministic bytes, different in every piece. */
export function blobOf(bytes: number, seed = 1): Uint8Array {
  const blob = new Uint8Array(bytes);
  let state = seed;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    blob[i] = state >>> 24;
  }
  return blob;
}

export class TestPeer {
  readonly exchange: Exchange;
  readonly stored = new Map<string, Uint8Array>();
  readonly fetched = new Map<string, Uint8Array>();
  readonly failed: string[] = [];
  readonly closed: string[] = [];
  wakeAt = Number.POSITIVE_INFINITY;
  bytesFromHost = 0;
  chunksReceived = 0;
  /** Pieces sent, by blob. */
  readonly chunksSent = new Map<string, number>();

  constructor(seed: number, rules: PieceRules) {
    this.exchange = new Exchange({ seed, rules });
  }
}

export class TestSwarm {
  now = 0;
  readonly rules: PieceRules;
  readonly peers = new Map<string, TestPeer>();
  readonly host = new Map<string, Uint8Array>();
  hostUp = true;
  /** May change, drop or watch each frame. */
  filter: (from: string, to: string, frame: Frame) => Frame | undefined = (_from, _to, frame) => frame;
  frames = 0;
  private readonly queue: { from: string; to: string; bytes: Uint8Array }[] = [];
  private readonly links = new Set<string>();

  constructor(rules: PieceRules = tinyPieces) {
    this.rules = rules;
  }

  add(name: string, ...blobs: Uint8Array[]): TestPeer {
    const peer = new TestPeer(this.peers.size + 1, this.rules);
    this.peers.set(name, peer);
    for (const blob of blobs) this.give(name, blob);
    return peer;
  }

  give(name: string, blob: Uint8Array): string {
    const hash = this.rules.nameOf(blob);
    this.peers.get(name)!.stored.set(hash, blob);
    this.input(name, { type: "hold", name: hash, bytes: blob.length });
    return hash;
  }

  want(
    name: string,
    blob: Uint8Array,
    {
      host = "never",
      bytes = blob.length,
      urgency = "round",
    }: { host?: HostUse; bytes?: number; urgency?: Urgency } = {},
  ): string {
    const hash = this.rules.nameOf(blob);
    this.input(name, { type: "want", name: hash, bytes, host, urgency });
    return hash;
  }

  link(a: string, b: string): void {
    this.links.add(`${a}>${b}`).add(`${b}>${a}`);
    this.input(a, { type: "link-up", peer: b });
    this.input(b, { type: "link-up", peer: a });
  }

  cut(a: string, b: string): void {
    for (const way of [`${a}>${b}`, `${b}>${a}`]) this.links.delete(way);
    this.input(a, { type: "link-down", peer: b });
    this.input(b, { type: "link-down", peer: a });
  }

  input(name: string, input: ExchangeInput): void {
    const peer = this.peers.get(name)!;
    for (const output of peer.exchange.step(this.now, input)) this.perform(name, peer, output);
  }

  frame(from: string, to: string, frame: Frame): void {
    this.input(to, { type: "frame", from, bytes: encodeFrame(frame) });
  }

  /** Delivers one frame. @returns false when none is on the way */
  deliver(): boolean {
    const message = this.queue.shift();
    if (!message) return false;
    if (!this.links.has(`${message.from}>${message.to}`)) return true;
    const frame = this.filter(message.from, message.to, decodeFrame(message.bytes)!);
    if (!frame) return true;
    this.frames += 1;
    if (frame.type === "chunk") {
      const { chunksSent } = this.peers.get(message.from)!;
      chunksSent.set(message.to, (chunksSent.get(message.to) ?? 0) + 1);
      this.peers.get(message.to)!.chunksReceived += 1;
    }
    this.input(message.to, { type: "frame", from: message.from, bytes: encodeFrame(frame) });
    return true;
  }

  settle(): void {
    while (this.deliver());
  }

  /** Everything that happens until then, at its own times. */
  pass(ms: number): void {
    const until = this.now + ms;
    this.settle();
    for (;;) {
      const wakeAt = Math.min(...[...this.peers.values()].map((peer) => peer.wakeAt));
      if (wakeAt > until) break;
      this.now = Math.max(this.now, wakeAt);
      for (const [name, peer] of this.peers) {
        if (peer.wakeAt > this.now) continue;
        peer.wakeAt = Number.POSITIVE_INFINITY;
        this.input(name, { type: "tick" });
      }
      this.settle();
    }
    this.now = until;
  }

  private perform(name: string, peer: TestPeer, output: ExchangeOutput): void {
    switch (output.type) {
      case "send":
        if (this.links.has(`${name}>${output.to}`)) this.queue.push({ from: name, to: output.to, bytes: output.bytes });
        return;
      case "close":
        peer.closed.push(output.reason);
        for (const way of [`${name}>${output.peer}`, `${output.peer}>${name}`]) this.links.delete(way);
        return this.input(output.peer, { type: "link-down", peer: name });
      case "look":
        return this.input(name, { type: "looked", name: output.name, here: peer.stored.has(output.name) });
      case "read":
        return this.input(name, { type: "read", name: output.name, blob: peer.stored.get(output.name) });
      case "ask-host":
        return this.askHost(name, peer, output);
      case "stop-host":
        return;
      case "fetched":
        peer.fetched.set(output.name, output.blob);
        peer.stored.set(output.name, output.blob);
        return;
      case "failed":
        peer.failed.push(output.reason);
        return;
      case "wake":
        peer.wakeAt = Math.min(peer.wakeAt, output.at); // what a host that answers at once set is not overwritten
        return;
    }
  }

  private askHost(to: string, peer: TestPeer, asked: Extract<ExchangeOutput, { type: "ask-host" }>): void {
    const { name, list, first, pieces } = asked;
    const blob = this.host.get(name);
    if (!this.hostUp || !blob)
      return this.input(to, { type: "host-failed", name, reason: "the host has no such blob" });
    if (list) return this.input(to, { type: "host-list", name, list: this.rules.listOf(blob) });
    const { pieceBytes } = this.rules;
    for (let piece = first; piece < first + pieces; piece++) {
      const bytes = blob.subarray(piece * pieceBytes, (piece + 1) * pieceBytes);
      peer.bytesFromHost += bytes.length;
      this.input(to, { type: "host-piece", name, piece, bytes });
    }
    this.input(to, { type: "host-done", name });
  }
}
