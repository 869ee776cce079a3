// Islands over this peer's links: ordered messages of any size between each two members, and how fast a link is.
//
//   open(island, members) -> port: send, receive, end, ended        receive(from, frame) -> parts, acknowledgements, ends
//
// A link that goes down, or begins anew (another way: what was on the old one may be lost), ends the island, as does a member that breaks the rules.
// A member hears of an island by the host, and the others may have begun by then: their frames are kept until it does.
import {
  decodeIslandFrame,
  encodeIslandFrame,
  type IslandFrame,
  isIslandFrame,
  type PeerId,
  PROBE_BYTES,
  WINDOW_BYTES,
} from "#wire";
import type { LinkPort } from "./heartbeat.ts";
import { IslandLine } from "./island-line.ts";
import { CONNECTIONS_PER_LINK_MAX } from "./widening.ts";

/** Nothing is acknowledged meanwhile, so an honest member sends no more. */
const EARLY_BYTES_MAX = CONNECTIONS_PER_LINK_MAX * WINDOW_BYTES;
/** Frames of an island that is over here may still come for a round trip; a peer is in one island at a time. */
const OVER_KEPT = 8;
/** Payload of a frame that measures. */
const PROBE_FRAME_BYTES = 16 * 1024;

/** As the engine's islands want it (island/port.ts). */
export interface MembersPort {
  readonly rank: number;
  readonly ranks: number;
  send(to: number, bytes: Uint8Array<ArrayBuffer>): void;
  receive(from: number): Promise<Uint8Array<ArrayBuffer>>;
  end(reason: string): void;
  /** Resolves with the reason, whoever ended it. */
  readonly ended: Promise<string>;
}

export interface IslandLinesOptions {
  readonly port: LinkPort;
  readonly now: () => number; // monotonic, ms
  /** What calls reject with from the end on. */
  readonly lost: (reason: string) => Error;
}

interface Early {
  readonly island: string;
  readonly frames: { readonly frame: IslandFrame; readonly bytes: number }[];
  bytes: number;
}

interface Link {
  sending: number; //      connections that take our parts
  early: Early | undefined;
  probedBytes: number; //  of the other end's
  probe: { readonly sentAt: number; readonly done: (ms: number | undefined) => void } | undefined;
}

export class IslandLines {
  readonly #options: IslandLinesOptions;
  readonly #linkByPeer = new Map<PeerId, Link>();
  readonly #islandById = new Map<string, Island>();
  readonly #over: string[] = [];

  constructor(options: IslandLinesOptions) {
    this.#options = options;
  }

  /** A link begins, or begins anew. */
  linkUp(peer: PeerId): void {
    this.#drop(peer, "began anew");
    this.#linkByPeer.set(peer, { sending: 1, early: undefined, probedBytes: 0, probe: undefined });
  }

  linkDown(peer: PeerId): void {
    this.#drop(peer, "is down");
  }

  connections(peer: PeerId, sending: number): void {
    const link = this.#linkByPeer.get(peer);
    if (link) link.sending = sending;
    for (const island of this.#islandById.values()) island.lineByPeer.get(peer)?.connections(sending);
  }

  /** @returns whether the frame was of an island, or of a measurement */
  receive(from: PeerId, bytes: Uint8Array): boolean {
    if (!isIslandFrame(bytes)) return false;
    const link = this.#linkByPeer.get(from);
    if (!link) return true; // closed while its last frames were on the way
    const frame = decodeIslandFrame(bytes);
    if (!frame) this.#options.port.close(from, "sent a frame that does not decode");
    else if (frame.type === "probe") this.#probed(from, link, frame.payload.length);
    else if (frame.type === "probed") this.#answered(link);
    else if (this.#over.includes(frame.island)) return true;
    else {
      const island = this.#islandById.get(frame.island);
      if (island) island.take(from, frame, bytes.length);
      else keep(link, frame, bytes.length);
    }
    return true;
  }

  /** @param members by rank; without a link to each of the others it is over at once */
  open(id: string, members: readonly PeerId[], self: PeerId): MembersPort {
    const others = members.filter((peer) => peer !== self);
    const island = new Island(id, members, self, {
      send: (to, frame) => this.#options.port.send(to, frame),
      lost: this.#options.lost,
      onEnd: () => this.#ended(id),
    });
    this.#islandById.set(id, island);
    const unlinked = others.find((peer) => !this.#linkByPeer.has(peer));
    if (unlinked) island.end(`there is no link to ${unlinked.slice(0, 8)}`);
    for (const peer of others) {
      const link = this.#linkByPeer.get(peer);
      if (!link) continue;
      island.lineByPeer.get(peer)?.connections(link.sending);
      const { early } = link;
      link.early = undefined;
      if (early?.island !== id) continue;
      if (early.bytes > EARLY_BYTES_MAX) island.end(`${peer.slice(0, 8)} sent more than its window`);
      for (const { frame, bytes } of early.frames) island.take(peer, frame, bytes);
    }
    return island;
  }

  /**
   * Bytes a second from here to that peer; undefined when the link goes down meanwhile, or is being measured. The second of two probes counts: a fresh
   * link carries the first at a tenth of its rate (1.6 and 20 MB/s between two tabs, 2026-11).
   */
  async measure(peer: PeerId, rttMs: number): Promise<number | undefined> {
    const link = this.#linkByPeer.get(peer);
    if (!link || link.probe || (await this.#probe(peer, link)) === undefined) return undefined;
    const ms = await this.#probe(peer, link);
    return ms === undefined ? undefined : (1000 * PROBE_BYTES) / Math.max(1, ms - rttMs);
  }

  /** How long until the other end has all of it and says so. */
  #probe(peer: PeerId, link: Link): Promise<number | undefined> {
    const { now, port } = this.#options;
    if (this.#linkByPeer.get(peer) !== link) return Promise.resolve(undefined);
    const answered = new Promise<number | undefined>((done) => {
      link.probe = { sentAt: now(), done };
    });
    for (let sent = 0; sent < PROBE_BYTES; sent += PROBE_FRAME_BYTES)
      port.send(peer, encodeIslandFrame({ type: "probe", payload: new Uint8Array(PROBE_FRAME_BYTES) }));
    return answered;
  }

  close(): void {
    for (const island of [...this.#islandById.values()]) island.end("this peer has stopped");
    for (const peer of [...this.#linkByPeer.keys()]) this.#drop(peer, "was closed");
  }

  #probed(from: PeerId, link: Link, bytes: number): void {
    link.probedBytes += bytes;
    if (link.probedBytes < PROBE_BYTES) return;
    link.probedBytes = 0;
    this.#options.port.send(from, encodeIslandFrame({ type: "probed" }));
  }

  #answered(link: Link): void {
    const { probe } = link;
    link.probe = undefined;
    if (probe) probe.done(this.#options.now() - probe.sentAt);
  }

  #drop(peer: PeerId, what: string): void {
    const link = this.#linkByPeer.get(peer);
    if (!link) return;
    this.#linkByPeer.delete(peer);
    link.probe?.done(undefined);
    for (const island of [...this.#islandById.values()])
      if (island.lineByPeer.has(peer)) island.end(`the link to ${peer.slice(0, 8)} ${what}`);
  }

  #ended(id: string): void {
    this.#islandById.delete(id);
    this.#over.push(id);
    if (this.#over.length > OVER_KEPT) this.#over.shift();
  }
}

function keep(link: Link, frame: Exclude<IslandFrame, { type: "probe" | "probed" }>, bytes: number): void {
  if (link.early?.island !== frame.island) link.early = { island: frame.island, frames: [], bytes: 0 };
  link.early.bytes += bytes;
  if (link.early.bytes <= EARLY_BYTES_MAX) link.early.frames.push({ frame, bytes });
}

interface IslandOptions {
  readonly send: (to: PeerId, frame: Uint8Array<ArrayBuffer>) => void;
  readonly lost: (reason: string) => Error;
  readonly onEnd: () => void;
}

class Island implements MembersPort {
  readonly rank: number;
  readonly ranks: number;
  readonly ended: Promise<string>;
  readonly lineByPeer = new Map<PeerId, IslandLine>();
  readonly #id: string;
  readonly #members: readonly PeerId[];
  readonly #options: IslandOptions;
  #sayEnded!: (reason: string) => void;
  #lost: Error | undefined;

  constructor(id: string, members: readonly PeerId[], self: PeerId, options: IslandOptions) {
    this.#id = id;
    this.#members = members;
    this.#options = options;
    this.rank = members.indexOf(self);
    this.ranks = members.length;
    this.ended = new Promise((resolve) => {
      this.#sayEnded = resolve;
    });
    for (const peer of members)
      if (peer !== self)
        this.lineByPeer.set(
          peer,
          new IslandLine({
            island: id,
            sendFrame: (frame) => options.send(peer, frame),
            onFault: (reason) => this.end(`${peer.slice(0, 8)} ${reason}`),
          }),
        );
  }

  send(to: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (!this.#lost) this.#line(to).send(bytes);
  }

  receive(from: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#lost ? Promise.reject(this.#lost) : this.#line(from).receive();
  }

  end(reason: string): void {
    if (this.#lost) return;
    this.#lost = this.#options.lost(reason);
    this.#options.onEnd();
    for (const [peer, line] of this.lineByPeer) {
      line.end(this.#lost);
      this.#options.send(peer, encodeIslandFrame({ type: "over", island: this.#id, reason }));
    }
    this.#sayEnded(reason);
  }

  take(from: PeerId, frame: IslandFrame, frameBytes: number): void {
    const line = this.lineByPeer.get(from);
    if (!line || this.#lost) return; // of a stranger to it: nothing
    if (frame.type === "part") line.part(frame, frameBytes);
    else if (frame.type === "took") line.took(frame.bytes);
    else if (frame.type === "over") this.end(frame.reason);
  }

  /** A rank that there is not is our own mistake. */
  #line(rank: number): IslandLine {
    const line = this.lineByPeer.get(this.#members[rank]);
    if (!line) throw new RangeError(`rank ${rank} is no other member of an island of ${this.ranks}`);
    return line;
  }
}
