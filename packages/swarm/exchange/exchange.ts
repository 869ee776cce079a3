// Blobs from peer to peer, as a function: frames, reads of the local store and answers of the host come in, frames and effects go out.
//
//   want(name, bytes) -> send, look, read, ask-host ... -> fetched(name, blob) | failed(name, reason), and on it goes
//
// Runs in a browser's worker and in the simulator alike. Rules [R39] to [R41] are in docs/PROTOCOL.md, the frames' bytes in wire/frames.ts.
import { decodeFrame, encodeFrame, type Frame, type PeerId } from "#wire";
import type { Millis } from "../ports.ts";
import { Wake } from "../timing.ts";
import { Asking } from "./asking.ts";
import type { Context, ExchangeOutput, Link } from "./context.ts";
import { type PieceRules, wirePieces } from "./pieces.ts";
import { askedBytes } from "./requests.ts";
import { type MadeBlob, Serving, WANTS_BURST } from "./serving.ts";
import { SHARE, Share } from "./share.ts";
import type { HostUse, Urgency } from "./wanted.ts";

export type ExchangeInput =
  | { type: "tick" }
  | { type: "link-coming" | "link-up" | "link-down"; peer: PeerId } // coming: somebody tries to open it
  /** So many connections of that link are open, and so many of them take our chunks: each has a window of its own. */
  | { type: "connections"; peer: PeerId; open: number; sending: number }
  | { type: "frame"; from: PeerId; bytes: Uint8Array }
  | { type: "want"; name: string; bytes: number; host: HostUse; urgency: Urgency }
  | { type: "unwant"; name: string }
  /** It was made here, and lies in the local store. With its bytes and its list it need not be read and hashed again. */
  | { type: "hold"; name: string; bytes: number; made?: MadeBlob }
  | { type: "drop"; names: readonly string[] } //  it does not any more
  | { type: "looked"; name: string; here: boolean }
  | { type: "read"; name: string; blob: Uint8Array | undefined }
  | { type: "host-list"; name: string; list: Uint8Array }
  | { type: "host-piece"; name: string; piece: number; bytes: Uint8Array }
  | { type: "host-done"; name: string }
  | { type: "host-failed"; name: string; reason: string };

export interface ExchangeOptions {
  /** Of everything that is drawn. */
  readonly seed: number;
  readonly rules?: PieceRules;
  /** [R41] Copies of what passes through its hands that a peer sends before it says busy. */
  readonly share?: number;
}

/** Who can connect has done so within this. */
const COMING_MS = 5_000;
/** An honest peer makes none; a race or two in a long visit may look like one. */
const FAULTS_MAX = 16;
/** Wrong bytes are no accident over a channel that checks them: not asked again for as long as a visit lasts, often. */
const BAN_MS = 10 * 60_000;
/** Keys cost nothing, so a list of peers must not grow. */
const PEERS_KEPT_MAX = 1_024;
const STRAY_BYTES_FIRST = 2 ** 20;

export class Exchange {
  private readonly rules: PieceRules;
  private readonly asking: Asking;
  private readonly serving: Serving;
  private readonly linkByPeer = new Map<PeerId, Link>();
  private readonly comingUntilByPeer = new Map<PeerId, Millis>();
  private readonly bannedUntilByPeer = new Map<PeerId, Millis>(); // oldest first
  private readonly wake = new Wake();
  private random: number;
  private now: Millis = 0;
  private out: ExchangeOutput[] = [];
  /** Frames that did not decode, wrong bytes and other faults, of all links. */
  faults = 0;

  constructor({ seed, rules = wirePieces, share = SHARE }: ExchangeOptions) {
    this.rules = rules;
    this.random = seed >>> 0;
    const exchange = this;
    const context: Context = {
      rules,
      linkByPeer: this.linkByPeer,
      get now() {
        return exchange.now;
      },
      emit: (output) => this.out.push(output),
      send: (to, frame) => this.send(to, frame),
      wakeAt: (at) => this.wake.want(at),
      draw: (below) => this.draw(below),
      comingUntil: () => this.comingUntil(),
      convict: (peer, reason) => this.convict(peer, reason),
      fault: (peer, reason) => this.fault(peer, reason),
    };
    this.serving = new Serving(context, new Share(share), (name) => this.asking.get(name));
    this.asking = new Asking({
      context,
      gained: (wanted, piece) => this.serving.gained(wanted, piece),
      completed: (wanted) => {
        this.serving.completed(wanted);
        this.out.push({ type: "fetched", name: wanted.name, blob: wanted.blob });
      },
      wantsToo: (peer, name) => this.serving.wants(peer, name),
    });
  }

  step(now: Millis, input: ExchangeInput): ExchangeOutput[] {
    this.out = [];
    this.now = now;
    if (input.type === "tick") this.wake.rung();
    this.take(input);
    this.asking.advance(input.type !== "frame");
    this.serving.advance();
    const at = this.wake.take(now);
    if (at !== undefined) this.out.push({ type: "wake", at });
    return this.out;
  }

  private take(input: ExchangeInput): void {
    switch (input.type) {
      case "tick":
        return;
      case "link-coming":
        // A first attempt only: who could not connect may try for ever, and the host would be waited with for ever.
        if (this.comingUntilByPeer.has(input.peer)) return;
        this.comingUntilByPeer.set(input.peer, this.now + COMING_MS);
        if (this.comingUntilByPeer.size > PEERS_KEPT_MAX)
          this.comingUntilByPeer.delete(this.comingUntilByPeer.keys().next().value!);
        return;
      case "link-up":
        return this.linkUp(input.peer);
      case "link-down":
        return this.linkDown(input.peer);
      case "connections": {
        const link = this.linkByPeer.get(input.peer);
        if (!link) return;
        link.windowBytes = input.sending * this.rules.windowBytes;
        link.askedBytes = askedBytes(input.open, this.rules);
        return;
      }
      case "frame":
        return this.frame(input.from, input.bytes);
      case "want":
        this.serving.expect(input.name, input.bytes);
        return this.asking.want(input);
      case "unwant":
        return this.asking.unwant(input.name);
      case "hold":
        this.asking.unwant(input.name);
        return this.serving.hold(input.name, input.bytes, input.made);
      case "drop":
        for (const name of input.names) this.serving.drop(name);
        return;
      case "looked":
        return this.serving.looked(input.name, input.here);
      case "read":
        return this.serving.read(input.name, input.blob);
      case "host-list":
        return this.asking.host.list(input.name, input.list);
      case "host-piece":
        return this.asking.host.piece(input.name, input.piece, input.bytes);
      case "host-done":
        return this.asking.host.done(input.name);
      case "host-failed":
        return this.asking.host.failed(input.name, input.reason);
    }
  }

  private linkUp(peer: PeerId): void {
    this.comingUntilByPeer.delete(peer);
    this.linkDown(peer); // a new connection to the same peer: what was asked on the old one is lost
    if ((this.bannedUntilByPeer.get(peer) ?? this.now) > this.now) return;
    const { now } = this;
    const { windowBytes } = this.rules;
    const link = {
      windowBytes,
      askedBytes: askedBytes(1, this.rules),
      faults: 0,
      wantsLeft: WANTS_BURST,
      wantsAt: now,
      received: 0,
      stray: STRAY_BYTES_FIRST,
      upAt: now,
      announced: new Set<string>(),
    };
    this.linkByPeer.set(peer, link);
    this.serving.linkUp(peer);
    this.asking.linkUp(peer);
  }

  private linkDown(peer: PeerId): void {
    if (!this.linkByPeer.delete(peer)) return;
    this.serving.linkDown(peer);
    this.asking.linkDown(peer);
  }

  private frame(from: PeerId, bytes: Uint8Array): void {
    if (!this.linkByPeer.has(from)) return; // closed while its last frames were on the way, or banned
    const frame = decodeFrame(bytes);
    if (!frame) return this.convict(from, "sent a frame that does not decode");
    switch (frame.type) {
      case "want":
        return this.serving.want(from, frame);
      case "unwant":
        return this.serving.unwant(from, frame.name);
      case "have":
        return this.asking.have(from, frame);
      case "ask":
        return this.serving.ask(from, frame);
      case "cancel":
        return this.serving.cancel(from, frame.request);
      case "chunk":
        return this.asking.chunk(from, frame);
      case "ack":
        return this.serving.ack(from, frame);
      case "refuse":
        return this.asking.refuse(from, frame);
      case "ping":
      case "pong":
        return; // the heartbeat is the transport's
    }
  }

  private send(to: PeerId, frame: Frame): void {
    if (this.linkByPeer.has(to)) this.out.push({ type: "send", to, bytes: encodeFrame(frame) });
  }

  private comingUntil(): Millis {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.comingUntilByPeer.values());
  }

  private fault(peer: PeerId, reason: string): void {
    const link = this.linkByPeer.get(peer);
    if (!link) return;
    this.faults += 1;
    link.faults += 1;
    if (link.faults > FAULTS_MAX) this.convict(peer, reason);
  }

  private convict(peer: PeerId, reason: string): void {
    if (!this.linkByPeer.has(peer)) return;
    this.faults += 1;
    this.bannedUntilByPeer.delete(peer);
    this.bannedUntilByPeer.set(peer, this.now + BAN_MS);
    if (this.bannedUntilByPeer.size > PEERS_KEPT_MAX)
      this.bannedUntilByPeer.delete(this.bannedUntilByPeer.keys().next().value!);
    this.linkDown(peer);
    this.out.push({ type: "close", peer, reason });
  }

  /** Mulberry32. */
  private draw(below: number): number {
    this.random = (this.random + 0x6d2b_79f5) >>> 0;
    let t = this.random;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }
}
