// The asking half: blobs that are wanted here, in pieces, from every link that has some; the host last. [R39] [R40]
//
//   want -> `want` to each link -> `have` -> ask the rarest pieces, several links at once -> chunk ... -> checked -> fetched
//
// A link that fails (silence, refusal) is left out for a while and its pieces are open again; checked pieces stay. Who sends wrong
// bytes is convicted.
import { type Frame, type PeerId, PIECE_LIST, REQUEST_MAX } from "#wire";
import type { Millis } from "../ports.ts";
import { backoffMs } from "../timing.ts";
import type { Context, Link } from "./context.ts";
import { HostLast, WAIT_DRAWN_MS } from "./host-last.ts";
import { Bits } from "./pieces.ts";
import { type HostUse, type Request, type Source, Wanted } from "./wanted.ts";

/** A live link sends a chunk well within this, even when its machine trains on its CPU. */
const REQUEST_TIMEOUT_MS = 10_000;
/** A link that is silent for so long, or a piece of which less than half has come after so long, is too slow for a link that is idle. */
const SILENT_MS = 2_000;
const SLOW_MS = 8_000;
/** A link that failed is asked again after this, then after twice as long, ... */
const FAILED_FIRST_MS = 2_000;
const FAILED_MAX_MS = 60_000;
/** A link that said busy: time for others to get that piece from it and pass it on. */
const BUSY_MS = 500;
/** Bytes asked of one link, in windows: two, so that the second covers the round trip between pieces. */
const ASKED_WINDOWS = 2;
const ASKED_OF_LINK_MAX = 12;
/** Blobs asked for at once: a round's updates and a checkpoint's sections; a link remembers so many for us. */
const RUNNING_MAX = 48;
/** They lie in memory until they are whole; one that is larger comes alone. */
const RUNNING_BYTES_MAX = 512 * 2 ** 20;
/** Acknowledge every second chunk: half the traffic, and the sender's window (16 chunks) never runs dry. */
const ACK_EVERY_CHUNKS = 2;
/** Words for a failure: the last few are enough. */
const FAILURES_KEPT = 6;

export interface AskingOptions {
  readonly context: Context;
  /** A piece is checked: whoever wants it too hears of it. */
  readonly gained: (wanted: Wanted, piece: number) => void;
  readonly completed: (wanted: Wanted) => void;
  /** That link wants this blob itself, so it may soon have it. */
  readonly wantsToo: (peer: PeerId, name: string) => boolean;
}

export class Asking {
  readonly host: HostLast;
  private readonly options: AskingOptions;
  private readonly wantedByName = new Map<string, Wanted>(); // in order
  private readonly requestById = new Map<number, Request>();
  private readonly askedByPeer = new Map<PeerId, Set<Request>>();
  private readonly heardAtByPeer = new Map<PeerId, Millis>();
  private heardAt: Millis = Number.NEGATIVE_INFINITY;
  private nextRequest = 1;
  private running: Wanted[] = [];
  private dirty = false;
  private dueAt: Millis = Number.POSITIVE_INFINITY;

  constructor(options: AskingOptions) {
    this.options = options;
    this.host = new HostLast({
      context: options.context,
      get: (name) => this.wantedByName.get(name),
      take: (wanted, piece) => this.take(wanted, piece),
      listCame: (wanted) => this.listCame(wanted),
      report: (wanted, reason) => this.report(wanted, reason),
      wantsToo: options.wantsToo,
      heardAt: () => this.heardAt,
    });
  }

  get(name: string): Wanted | undefined {
    return this.wantedByName.get(name);
  }

  get size(): number {
    return this.wantedByName.size;
  }

  want(name: string, bytes: number, host: HostUse): void {
    const { now, rules } = this.options.context;
    if (this.wantedByName.has(name)) return;
    const wanted = new Wanted(now, name, bytes, host, rules);
    this.wantedByName.set(name, wanted);
    this.start();
    if (bytes === 0 && wanted.isGood(0)) this.take(wanted, 0); // no chunk carries it
  }

  unwant(name: string): void {
    const wanted = this.wantedByName.get(name);
    if (!wanted) return;
    const { context } = this.options;
    for (const request of [...wanted.requestByPiece.values()]) this.cancel(request);
    if (wanted.hostRun) context.emit({ type: "stop-host", name });
    this.remove(wanted);
  }

  linkUp(peer: PeerId): void {
    this.askedByPeer.set(peer, new Set());
    for (const { name } of this.running) this.options.context.send(peer, { type: "want", name });
    this.dirty = true;
  }

  linkDown(peer: PeerId): void {
    for (const request of this.askedByPeer.get(peer) ?? []) this.release(request);
    this.askedByPeer.delete(peer);
    this.heardAtByPeer.delete(peer);
    for (const wanted of this.wantedByName.values()) wanted.dropSource(peer);
    this.dirty = true;
  }

  // ---- frames -----------------------------------------------------------------------------------------------------------

  have(from: PeerId, { name, first, bitmap }: Extract<Frame, { type: "have" }>): void {
    const wanted = this.wantedByName.get(name);
    if (!wanted?.running) return; // it came meanwhile, or nobody wants it any more
    if (wanted.gain(wanted.source(from), first, bitmap)) wanted.newsAt = this.options.context.now;
    this.dirty = true;
  }

  refuse(from: PeerId, { request: id, code }: Extract<Frame, { type: "refuse" }>): void {
    const request = this.requestById.get(id);
    if (request?.source !== from) return;
    const { wanted, piece } = request;
    const { now, draw } = this.options.context;
    this.release(request);
    const source = wanted.source(from);
    if (code !== "busy") {
      wanted.lose(source, piece);
      this.failed(wanted, from, code === "not-here" ? "does not have it" : "knows no such piece");
      return;
    }
    source.saidBusy = true;
    source.usableAt = now + BUSY_MS + draw(BUSY_MS);
    this.due(source.usableAt);
  }

  chunk(from: PeerId, frame: Extract<Frame, { type: "chunk" }>): void {
    const { context } = this.options;
    const link = context.linkByPeer.get(from)!;
    const request = this.requestById.get(frame.request);
    const { payload, offset } = frame;
    if (request?.source !== from) {
      link.stray -= payload.length;
      if (link.stray < 0) context.convict(from, "sent chunks that nobody asked for");
      return;
    }
    const { chunkBytes } = context.rules;
    const { target, chunks } = request;
    const index = offset / chunkBytes;
    const fits = Number.isInteger(index) && index < chunks.size;
    if (!fits || payload.length !== Math.min(chunkBytes, target.length - offset)) return this.misfit(request);
    this.heardAtByPeer.set(from, context.now);
    this.heardAt = context.now;
    if (!chunks.set(index)) return; // twice: by two connections, perhaps
    target.set(payload, offset);
    request.received += payload.length;
    link.received += payload.length;
    const whole = chunks.isFull;
    this.acknowledge(request, offset, offset + payload.length, whole);
    if (whole) this.whole(request);
  }

  // ---- time -------------------------------------------------------------------------------------------------------------

  /** At the end of each step: judges what is late, and asks for what is open. changed: something besides a frame came in. */
  advance(changed: boolean): void {
    const { context } = this.options;
    this.dirty ||= changed;
    if (context.now >= this.dueAt) {
      this.dueAt = Number.POSITIVE_INFINITY;
      this.judgeTime();
      this.dirty = true;
    }
    while (this.dirty) {
      this.dirty = false;
      this.askLinks();
      this.due(this.host.advance(this.running));
    }
    if (this.dueAt < Number.POSITIVE_INFINITY) context.wakeAt(this.dueAt);
  }

  private due(at: Millis): void {
    if (at < this.dueAt) this.dueAt = at;
  }

  private judgeTime(): void {
    const { now } = this.options.context;
    for (const request of [...this.requestById.values()]) {
      // A link serves in order: bytes of any request show that the others wait for their turn.
      const heardAt = Math.max(request.startedAt, this.heardAtByPeer.get(request.source) ?? 0);
      if (now < heardAt + REQUEST_TIMEOUT_MS) this.due(heardAt + REQUEST_TIMEOUT_MS);
      else {
        this.cancel(request);
        request.wanted.listNeeded = true; // or its size was announced wrong: the list knows
        this.failed(request.wanted, request.source, `was silent for ${REQUEST_TIMEOUT_MS} ms`);
      }
      if (now < heardAt + SILENT_MS) this.due(heardAt + SILENT_MS);
      else if (now < request.startedAt + SLOW_MS) this.due(request.startedAt + SLOW_MS);
    }
  }

  // ---- asking links -----------------------------------------------------------------------------------------------------

  /** One request per link and turn, so that pieces spread; who sent us least begins. */
  private askLinks(): void {
    if (this.running.length === 0) return;
    const links = [...this.options.context.linkByPeer].sort(([, a], [, b]) => a.received - b.received);
    for (let asked = true; asked; ) {
      asked = false;
      for (const [peer] of links) if (this.askLink(peer)) asked = true;
    }
  }

  private askLink(peer: PeerId): boolean {
    const { linkByPeer, draw, now } = this.options.context;
    const { windowBytes } = linkByPeer.get(peer)!;
    const asked = this.askedByPeer.get(peer);
    if (!asked || asked.size >= ASKED_OF_LINK_MAX) return false;
    let askedBytes = 0;
    for (const { target, received } of asked) askedBytes += target.length - received;
    if (askedBytes >= ASKED_WINDOWS * windowBytes) return false;
    let best: { wanted: Wanted; source: Source; piece: number; links: number } | undefined;
    for (const wanted of this.running) {
      if (wanted.open <= 0 || wanted.wrongSize !== undefined) continue;
      const source = wanted.sourceByPeer.get(peer);
      if (source === undefined || source.bits.count === 0) continue;
      if (now < source.usableAt) {
        this.due(source.usableAt);
        continue;
      }
      if (wanted.listNeeded && !wanted.list) {
        if (wanted.requestByPiece.has(PIECE_LIST) || wanted.hostRun?.list) continue;
        best = { wanted, source, piece: PIECE_LIST, links: 0 };
        break;
      }
      const found = wanted.rarest(source, draw(wanted.pieces));
      if (found && (best === undefined || found.links < best.links)) best = { wanted, source, ...found };
    }
    if (best === undefined) return asked.size === 0 && this.takeOver(peer);
    this.ask(peer, best.wanted, best.source, best.piece);
    return true;
  }

  /** Nothing is open for this link, and it is idle: a piece that hardly comes from elsewhere is moved here. */
  private takeOver(peer: PeerId): boolean {
    const { now } = this.options.context;
    for (const request of this.requestById.values()) {
      const { wanted, piece, source: slow } = request;
      if (slow === peer || !this.isSlow(request)) continue;
      const source = wanted.sourceByPeer.get(peer);
      if (!source || now < source.usableAt || piece === PIECE_LIST || !source.bits.has(piece)) continue;
      this.cancel(request);
      wanted.source(slow).usableAt = now + FAILED_FIRST_MS; // else the piece would come straight back to it
      this.ask(peer, wanted, source, piece);
      return true;
    }
    return false;
  }

  private isSlow({ source, startedAt, received, target }: Request): boolean {
    const { now } = this.options.context;
    if (now >= Math.max(startedAt, this.heardAtByPeer.get(source) ?? 0) + SILENT_MS) return true;
    return now >= startedAt + SLOW_MS && 2 * received < target.length;
  }

  private ask(peer: PeerId, wanted: Wanted, source: Source, piece: number): void {
    const { context } = this.options;
    const { now, rules } = context;
    const target = piece === PIECE_LIST ? new Uint8Array(rules.listBytes(wanted.bytes)) : wanted.piece(piece);
    const id = this.nextRequest;
    this.nextRequest = id === REQUEST_MAX ? 1 : id + 1;
    const chunks = new Bits(Math.ceil(target.length / rules.chunkBytes));
    const request = {
      id,
      wanted,
      source: peer,
      piece,
      target,
      chunks,
      startedAt: now,
      received: 0,
      ackFrom: 0,
      ackTo: 0,
    };
    this.requestById.set(id, request);
    wanted.requestByPiece.set(piece, request);
    this.askedByPeer.get(peer)!.add(request);
    const again = source.saidBusy && !this.anotherHas(wanted, piece, source);
    context.send(peer, { type: "ask", request: id, name: wanted.name, piece, again });
    this.due(now + SILENT_MS);
  }

  private anotherHas(wanted: Wanted, piece: number, than: Source): boolean {
    const { now } = this.options.context;
    for (const source of wanted.sourceByPeer.values())
      if (
        source !== than &&
        source.usableAt <= now &&
        (piece === PIECE_LIST ? source.bits.count > 0 : source.bits.has(piece))
      )
        return true;
    return false;
  }

  // ---- what came --------------------------------------------------------------------------------------------------------

  private acknowledge(request: Request, from: number, to: number, whole: boolean): void {
    const { context } = this.options;
    const send = () => {
      const { id, source, ackFrom, ackTo } = request;
      if (ackTo > ackFrom) context.send(source, { type: "ack", request: id, offset: ackFrom, bytes: ackTo - ackFrom });
    };
    if (from === request.ackTo) request.ackTo = to;
    else {
      send();
      request.ackFrom = from;
      request.ackTo = to;
    }
    if (!whole && request.ackTo - request.ackFrom < ACK_EVERY_CHUNKS * context.rules.chunkBytes) return;
    send();
    request.ackFrom = request.ackTo;
  }

  private whole(request: Request): void {
    const { wanted, source, piece, target } = request;
    const { convict, now } = this.options.context;
    this.release(request);
    wanted.source(source).failures = 0;
    if (piece === PIECE_LIST) {
      const fault = wanted.list ? undefined : wanted.takeList(target);
      if (fault !== undefined) return convict(source, `sent ${fault}`);
      this.listCame(wanted);
    } else if (wanted.isGood(piece)) {
      wanted.newsAt = now;
      this.take(wanted, piece);
    } else if (wanted.list) convict(source, `sent a wrong piece ${piece}`);
    else wanted.listNeeded = true; // a size that was announced wrong looks the same: the list knows
  }

  /** A chunk that has no place. Of a blob of one piece, whose list nobody has seen, the announced size may be what is wrong. */
  private misfit(request: Request): void {
    const { wanted, source, piece } = request;
    const { convict } = this.options.context;
    if (wanted.list || piece === PIECE_LIST) return convict(source, "sent a chunk that has no place in its piece");
    wanted.listNeeded = true;
    this.cancel(request);
  }

  private listCame(wanted: Wanted): void {
    this.dirty = true;
    if (wanted.wrongSize !== undefined) {
      for (const request of [...wanted.requestByPiece.values()]) this.cancel(request);
      this.report(wanted, wanted.wrongSize);
    }
  }

  private take(wanted: Wanted, piece: number): void {
    wanted.check(piece);
    this.dirty = true;
    this.options.gained(wanted, piece);
    if (!wanted.checked.isFull) return;
    if (wanted.hostRun) this.options.context.emit({ type: "stop-host", name: wanted.name });
    this.remove(wanted);
    this.options.completed(wanted);
  }

  private failed(wanted: Wanted, peer: PeerId, why: string): void {
    const { now } = this.options.context;
    const source = wanted.source(peer);
    source.usableAt = now + backoffMs(source.failures++, FAILED_FIRST_MS, FAILED_MAX_MS);
    source.saidBusy = false;
    this.due(source.usableAt);
    this.keep(wanted, `${peer.slice(0, 8)} ${why}`);
  }

  private keep(wanted: Wanted, words: string): void {
    wanted.failures.push(words);
    if (wanted.failures.length > FAILURES_KEPT) wanted.failures.shift();
  }

  private report(wanted: Wanted, reason: string): void {
    this.keep(wanted, reason);
    this.options.context.emit({ type: "failed", name: wanted.name, reason: wanted.failures.join("; ") });
  }

  // ---- bookkeeping ------------------------------------------------------------------------------------------------------

  /** Interest is told for as many blobs as may be asked for now. */
  private start(): void {
    const { context } = this.options;
    let bytes = 0;
    this.running = [];
    for (const wanted of this.wantedByName.values()) {
      bytes += wanted.bytes;
      const first = this.running.length === 0;
      if (!wanted.running && !first && (this.running.length >= RUNNING_MAX || bytes > RUNNING_BYTES_MAX)) continue;
      this.running.push(wanted);
      if (wanted.running) continue;
      wanted.running = true;
      wanted.newsAt = context.now;
      wanted.drawnWaitMs = context.draw(WAIT_DRAWN_MS);
      for (const peer of context.linkByPeer.keys()) context.send(peer, { type: "want", name: wanted.name });
    }
    this.dirty = true;
  }

  private remove(wanted: Wanted): void {
    const { context } = this.options;
    this.wantedByName.delete(wanted.name);
    if (wanted.running)
      for (const peer of context.linkByPeer.keys()) context.send(peer, { type: "unwant", name: wanted.name });
    this.start();
  }

  private release(request: Request): void {
    this.requestById.delete(request.id);
    request.wanted.requestByPiece.delete(request.piece);
    this.askedByPeer.get(request.source)?.delete(request);
    this.dirty = true;
  }

  private cancel(request: Request): void {
    const { context } = this.options;
    const link: Link | undefined = context.linkByPeer.get(request.source);
    if (link) link.stray = Math.min(link.stray + request.target.length - request.received, STRAY_BYTES_MAX);
    context.send(request.source, { type: "cancel", request: request.id });
    this.release(request);
  }
}

/** What may still be on the way after many cancels: as much as a link may have asked for, several times. */
const STRAY_BYTES_MAX = 16 * 2 ** 20;
