// Links to other peers over WebRTC: each has one connection, and more to the same peer while a lossy line holds a bulk transfer up.
// Runs in the window, where RTCPeerConnection exists.
//
//   open(peer, initiator) / signal(from, data) -> onSignal(to, data) ... -> onUp -> onFrame, send -> onDown(reason)
//
// Signalling data is JSON {link, signal}: the initiator's random `link` names one attempt, so that a candidate of an attempt that is
// over is never fed to its successor (the other tab reloaded; both sides gave up at different moments). {link, restart: true} asks the
// initiator for an ICE restart; {link, refused: true} answers a call to who hides its address; {link, beside, signal} is of a further
// connection beside link `beside`.
import { CHUNK_BYTES, FRAME_BYTES_MAX, type LinkReport, type PeerId } from "#wire";
import { Connection } from "./connection.ts";
import { CONNECTIONS_PER_LINK_MAX, Widening } from "./widening.ts";

/** ICE may sit for 15 s without reporting failure; pairs that connect do so within two. */
const CONNECT_DEADLINE_MS = 10_000;
/** Browsers cap connections, and pages with more become slow; a roster larger than this is met partly. */
const CONNECTIONS_MAX = 24;
/** The channel's own queue fails at 16 MiB. Windows keep it near 256 KiB, so half of that is a broken link or a bug. */
const QUEUE_BYTES_MAX = 8 * 2 ** 20;
/** Gathering and checking take one or two seconds; two in one death of a link (8 s of silence) are worth trying. */
const RESTART_EVERY_MS = 3_000;
/** Above every frame but a chunk. Chunks may arrive in any order; the others stay on the first connection, in theirs. */
const CHUNK_FRAME_BYTES_MIN = 2 * 1024;
/** Without a chunk for so long a bulk transfer is over. All that an idle connection carried has arrived by then. */
const EXTRA_IDLE_MS = 5_000;
const SWEEP_EVERY_MS = 1_000;

export interface LinkMeter {
  readonly peer: PeerId;
  readonly kind: LinkReport["kind"];
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface LinksOptions {
  readonly now: () => number; // monotonic, ms
  readonly onSignal: (to: PeerId, data: string) => void;
  readonly onUp: (peer: PeerId) => void;
  /** So many connections are open from now on, and so many of them take our chunks; one each when the link comes up. */
  readonly onConnections: (peer: PeerId, counts: { readonly open: number; readonly sending: number }) => void;
  /** Also for an attempt that never came up. */
  readonly onDown: (peer: PeerId, reason: string) => void;
  readonly onFrame: (from: PeerId, frame: Uint8Array<ArrayBuffer>) => void;
}

/** One connection of a link. */
interface Strand {
  readonly id: string;
  readonly connection: Connection;
  readonly deadline: ReturnType<typeof setTimeout>;
  up: boolean;
  usedAt: number; // last chunk
  restartedAt: number;
}

interface Link {
  readonly peer: PeerId;
  readonly first: Strand;
  readonly extraById: Map<string, Strand>;
  readonly widening: Widening;
  width: number; //        connections that we want to use
  told: { readonly open: number; readonly sending: number };
  kind: "direct" | "turn";
  bytesSent: number;
  bytesReceived: number;
}

interface Signal {
  readonly link: string;
  readonly beside?: string;
  readonly restart?: true;
  readonly refused?: true;
  readonly signal?: { type?: unknown };
}

export class Links {
  readonly #options: LinksOptions;
  readonly #linkByPeer = new Map<PeerId, Link>();
  #iceServers: RTCIceServer[] = [];
  #relayOnly = false;
  #sweep: ReturnType<typeof setInterval> | undefined;

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Only the host names servers: no third party learns who volunteers. Counts for connections opened from now on. */
  setIceServers(servers: RTCIceServer[]): void {
    this.#iceServers = servers;
  }

  /**
   * From now on no other peer learns this machine's address: connections go through a TURN server of the host's, and where it names none there
   * are none; its relay carries the links then. [R42] What is open ends, for it may be direct.
   */
  setRelayOnly(relayOnly: boolean): void {
    if (relayOnly === this.#relayOnly) return;
    this.#relayOnly = relayOnly;
    if (relayOnly) this.closeAll("this end hides its address from now on");
  }

  /** The initiator opens; the other side waits for its signal. A link that is up or on the way stays. */
  open(peer: PeerId, initiator: boolean): void {
    if (this.#isHiding())
      return this.#options.onDown(peer, "this end hides its address, and the host has no TURN server");
    if (!initiator || this.#linkByPeer.has(peer)) return;
    this.#create(peer, crypto.randomUUID(), true);
  }

  /** Signalling from the other side, as it came through the host: a stranger's text. */
  signal(from: PeerId, data: string): void {
    const parsed = parseSignal(data);
    if (!parsed) return;
    if (this.#isHiding()) {
      if (parsed.signal?.type === "offer")
        this.#options.onSignal(from, JSON.stringify({ link: parsed.link, refused: true }));
      return;
    }
    let link = this.#linkByPeer.get(from);
    let strand = link && (link.first.id === parsed.link ? link.first : link.extraById.get(parsed.link));
    if (!strand) {
      if (parsed.signal?.type !== "offer") return; // of an attempt that is over here
      if (parsed.beside !== undefined) {
        if (!link?.first.up || link.first.id !== parsed.beside) return;
        strand = this.#createExtra(link, parsed.link, false);
      } else {
        if (link) this.close(from, "the other side started anew");
        link = this.#create(from, parsed.link, false);
        strand = link?.first;
      }
    }
    if (!link || !strand) return;
    if (parsed.refused) {
      if (!strand.up) this.#strandDown(link, strand, "the other end takes no direct link");
      return;
    }
    if (parsed.restart) return this.#restart(link, strand);
    try {
      strand.connection.signal(parsed.signal ?? {});
    } catch (error) {
      this.#strandDown(link, strand, `signalling failed: ${String(error)}`);
    }
  }

  /** False when there is no open link: the frame is dropped, its sender learns of the loss by onDown. */
  send(to: PeerId, frame: Uint8Array): boolean {
    const link = this.#linkByPeer.get(to);
    if (!link?.first.up) return false;
    if (frame.length > FRAME_BYTES_MAX)
      throw new RangeError(`a frame of ${frame.length} bytes: at most ${FRAME_BYTES_MAX} fit one send`);
    const isChunk = frame.length >= CHUNK_FRAME_BYTES_MIN;
    const strand = isChunk ? this.#leastQueued(link) : link.first;
    if (strand.connection.queuedBytes + frame.length > QUEUE_BYTES_MAX) {
      this.#drop(link, `its queue passed ${QUEUE_BYTES_MAX} bytes`);
      return false;
    }
    try {
      strand.connection.send(frame);
    } catch (error) {
      // The other end's goodbye may show here before the channel's own event does.
      const isClosed = (error as Error).name === "InvalidStateError";
      this.#drop(link, isClosed ? "closed by the other end" : `sending failed: ${String(error)}`);
      return false;
    }
    link.bytesSent += frame.length;
    if (isChunk) {
      strand.usedAt = this.#options.now();
      this.#widen(link);
    }
    return true;
  }

  close(peer: PeerId, reason: string): void {
    const link = this.#linkByPeer.get(peer);
    if (link) this.#drop(link, reason);
  }

  closeAll(reason: string): void {
    for (const peer of [...this.#linkByPeer.keys()]) this.close(peer, reason);
  }

  /** The network under this machine may be another one: every path is doubtful, and looked for anew at once. */
  findPaths(): void {
    for (const link of this.#linkByPeer.values()) {
      for (const strand of strandsOf(link)) if (strand.up) this.#restart(link, strand);
    }
  }

  /** What open links moved since they opened: frames, both ways. */
  meters(): LinkMeter[] {
    return [...this.#linkByPeer.values()]
      .filter(({ first }) => first.up)
      .map(({ peer, kind, bytesSent, bytesReceived }) => ({ peer, kind, bytesSent, bytesReceived }));
  }

  /** Only a TURN server hides an address. */
  #isHiding(): boolean {
    return this.#relayOnly && !this.#iceServers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/i.test(url)));
  }

  #create(peer: PeerId, id: string, initiator: boolean): Link | undefined {
    if (this.#connections() >= CONNECTIONS_MAX) {
      this.#options.onDown(peer, `no room: ${CONNECTIONS_MAX} connections are open`);
      return undefined;
    }
    const link: Link = {
      peer,
      first: this.#strand(() => link, id, initiator, undefined),
      extraById: new Map(),
      widening: new Widening(),
      width: 1,
      told: { open: 1, sending: 1 },
      kind: "direct",
      bytesSent: 0,
      bytesReceived: 0,
    };
    this.#linkByPeer.set(peer, link);
    return link;
  }

  #createExtra(link: Link, id: string, initiator: boolean): Strand | undefined {
    if (link.extraById.size + 1 >= CONNECTIONS_PER_LINK_MAX || this.#connections() >= CONNECTIONS_MAX) return undefined;
    const strand = this.#strand(() => link, id, initiator, link.first.id);
    link.extraById.set(id, strand);
    this.#sweep ??= setInterval(() => this.#sweepExtras(), SWEEP_EVERY_MS);
    return strand;
  }

  #strand(linkOf: () => Link, id: string, initiator: boolean, beside: string | undefined): Strand {
    const connection = new Connection(initiator, this.#config(), {
      onSignal: (signal) => this.#tell(linkOf(), { link: id, ...(beside === undefined ? {} : { beside }), signal }),
      onUp: () => {
        strand.up = true;
        strand.usedAt = this.#options.now();
        clearTimeout(strand.deadline);
        if (beside === undefined) {
          this.#options.onUp(linkOf().peer);
          void this.#learnKind(linkOf());
        } else this.#tellConnections(linkOf());
      },
      onFrame: (frame) => {
        const link = linkOf();
        link.bytesReceived += frame.length;
        if (frame.length > CHUNK_BYTES / 2) strand.usedAt = this.#options.now();
        this.#options.onFrame(link.peer, frame);
      },
      onTrouble: () => this.#restart(linkOf(), strand),
      onHealed: () => {
        if (beside === undefined) void this.#learnKind(linkOf());
      },
      onDown: (reason) => this.#strandDown(linkOf(), strand, reason),
    });
    const strand: Strand = {
      id,
      connection,
      deadline: setTimeout(
        () => this.#strandDown(linkOf(), strand, `not connected within ${CONNECT_DEADLINE_MS} ms`),
        CONNECT_DEADLINE_MS,
      ),
      up: false,
      usedAt: this.#options.now(),
      restartedAt: Number.NEGATIVE_INFINITY,
    };
    return strand;
  }

  #config(): RTCConfiguration {
    return { iceServers: this.#iceServers, iceTransportPolicy: this.#relayOnly ? "relay" : "all" };
  }

  #tell({ peer }: Link, signal: Omit<Signal, "signal"> & { readonly signal?: object }): void {
    this.#options.onSignal(peer, JSON.stringify(signal));
  }

  #connections(): number {
    let count = 0;
    for (const link of this.#linkByPeer.values()) count += 1 + link.extraById.size;
    return count;
  }

  /** The initiator's offer restarts ICE at both ends, so the other side asks for it. */
  #restart(link: Link, strand: Strand): void {
    const now = this.#options.now();
    if (!strand.up || now - strand.restartedAt < RESTART_EVERY_MS) return;
    strand.restartedAt = now;
    if (strand.connection.initiator) strand.connection.restartIce();
    else this.#tell(link, { link: strand.id, restart: true });
  }

  // ---- further connections ----------------------------------------------------------------------------------------------

  /** Those that take our chunks. An extra one may be there for the other side's. */
  #used({ first, extraById, width }: Link): Strand[] {
    const up = [...extraById.values()].filter((strand) => strand.up);
    return [first, ...up.slice(0, width - 1)];
  }

  #leastQueued(link: Link): Strand {
    return this.#used(link).reduce((least, strand) =>
      strand.connection.queuedBytes < least.connection.queuedBytes ? strand : least,
    );
  }

  #widen(link: Link): void {
    const used = this.#used(link);
    const queuedBytes = used.reduce((sum, { connection }) => sum + connection.queuedBytes, 0);
    const load = { connections: used.length, queuedBytes, sentBytes: link.bytesSent };
    link.width = link.widening.wanted(this.#options.now(), load);
    while (1 + link.extraById.size < link.width) if (!this.#createExtra(link, crypto.randomUUID(), true)) break;
    this.#tellConnections(link);
  }

  #sweepExtras(): void {
    const oldest = this.#options.now() - EXTRA_IDLE_MS;
    let extras = 0;
    for (const link of this.#linkByPeer.values()) {
      for (const strand of link.extraById.values()) {
        const idle = strand.up && strand.connection.initiator && strand.usedAt < oldest;
        if (idle && strand.connection.queuedBytes === 0) this.#endStrand(link, strand);
      }
      if (strandsOf(link).every(({ usedAt }) => usedAt < oldest)) {
        link.widening.ended();
        link.width = 1;
      }
      this.#tellConnections(link);
      extras += link.extraById.size;
    }
    if (extras > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #endStrand(link: Link, strand: Strand): void {
    clearTimeout(strand.deadline);
    link.extraById.delete(strand.id);
    strand.connection.destroy();
    this.#tellConnections(link);
  }

  #tellConnections(link: Link): void {
    const open = strandsOf(link).filter(({ up }) => up).length;
    const sending = this.#used(link).length;
    if (open === link.told.open && sending === link.told.sending) return;
    link.told = { open, sending };
    this.#options.onConnections(link.peer, link.told);
  }

  // ---- ends -------------------------------------------------------------------------------------------------------------

  #strandDown(link: Link, strand: Strand, reason: string): void {
    const now = this.#options.now();
    // An extra connection that ends after a rest carried nothing; else frames may be lost, and with them the link.
    const harmless = strand !== link.first && (!strand.up || now - strand.usedAt >= EXTRA_IDLE_MS / 2);
    if (harmless) this.#endStrand(link, strand);
    else this.#drop(link, reason);
  }

  #drop(link: Link, reason: string): void {
    for (const strand of strandsOf(link)) {
      clearTimeout(strand.deadline);
      strand.connection.destroy();
    }
    link.extraById.clear();
    if (this.#linkByPeer.get(link.peer) !== link) return;
    this.#linkByPeer.delete(link.peer);
    this.#options.onDown(link.peer, reason);
  }

  async #learnKind(link: Link): Promise<void> {
    link.kind = await link.first.connection.kind();
  }
}

const strandsOf = ({ first, extraById }: Link): Strand[] => [first, ...extraById.values()];

/** What a well-formed message says; what is in `signal` is judged by the browser. */
function parseSignal(data: string): Signal | undefined {
  try {
    const parsed: unknown = JSON.parse(data);
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const { link, beside, restart, refused, signal } = parsed as Record<string, unknown>;
    if (!isId(link) || !(beside === undefined || isId(beside))) return undefined;
    const ids = { link, ...(beside === undefined ? {} : { beside }) };
    if (restart === true) return { ...ids, restart };
    if (refused === true) return { ...ids, refused };
    return typeof signal === "object" && signal !== null ? { ...ids, signal } : undefined;
  } catch {
    return undefined;
  }
}

const isId = (value: unknown): value is string => typeof value === "string" && value.length <= 64;
