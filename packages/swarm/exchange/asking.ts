// The asking half: blobs that are wanted here, in pieces, from every link that has some; the host last. [R39] [R40]
//
//   want -> `want` to each link -> `have` -> ask the rarest pieces, several links at once -> chunk ... -> checked -> fetched
//
// A link that fails (silence, refusal) is left out for a while and its pieces are open again; checked pieces stay. Who sends wrong
// bytes is convicted.
import { type Frame, type PeerId, PIECE_LIST } from "#wire";
import type { Millis } from "../ports.ts";
import { backoffMs } from "../timing.ts";
import type { Context } from "./context.ts";
import { HostLast, WAIT_DRAWN_MS } from "./host-last.ts";
import { REQUEST_TIMEOUT_MS, Requests } from "./requests.ts";
import { type Request, type Source, Wanted } from "./wanted.ts";

/** A link that failed is asked again after this, then after twice as long, ... */
const FAILED_FIRST_MS = 2_000;
const FAILED_MAX_MS = 60_000;
/** A link that said busy: time for others to get that piece from it and pass it on. */
const BUSY_MS = 500;
/** Blobs asked for at once: a round's updates and a checkpoint's sections; a link remembers so many for us. */
const RUNNING_MAX = 48;
/** They lie in memory until they are whole; one that is larger comes alone. */
const RUNNING_BYTES_MAX = 512 * 2 ** 20;
/** Its updates of the last rounds; of what it says beyond that we hear again when we want it. */
const ANNOUNCED_OF_LINK_MAX = 16;
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
  private readonly requests: Requests;
  private running: Wanted[] = [];
  private dirty = false; //    there may be something to ask for
  private answered = false; // a link has nothing new: only whether the host is asked may hang on it
  private dueAt: Millis = Number.POSITIVE_INFINITY;

  constructor(options: AskingOptions) {
    this.options = options;
    this.requests = new Requests({
      context: options.context,
      whole: (request) => this.whole(request),
      misfit: (request) => this.misfit(request),
      silent: (request) => this.silent(request),
      due: (at) => this.due(at),
      released: () => {
        this.dirty = true;
      },
    });
    this.host = new HostLast({
      context: options.context,
      get: (name) => this.wantedByName.get(name),
      take: (wanted, piece) => this.take(wanted, piece),
      listCame: (wanted) => this.listCame(wanted),
      report: (wanted, reason) => this.report(wanted, reason),
      wantsToo: options.wantsToo,
      heardAt: () => this.requests.heardAt,
    });
  }

  get(name: string): Wanted | undefined {
    return this.wantedByName.get(name);
  }

  get size(): number {
    return this.wantedByName.size;
  }

  want({ name, bytes, host, urgency }: Pick<Wanted, "name" | "bytes" | "host" | "urgency">): void {
    const { now, rules } = this.options.context;
    if (this.wantedByName.has(name)) return;
    const wanted = new Wanted(now, { name, bytes, host, urgency }, rules);
    this.wantedByName.set(name, wanted);
    this.start();
    if (bytes === 0 && wanted.isGood(0)) this.take(wanted, 0); // no chunk carries it
  }

  unwant(name: string): void {
    const wanted = this.wantedByName.get(name);
    if (!wanted) return;
    const { context } = this.options;
    for (const request of [...wanted.requestByPiece.values()]) this.requests.cancel(request);
    if (wanted.hostRun) context.emit({ type: "stop-host", name });
    this.remove(wanted);
  }

  linkUp(peer: PeerId): void {
    this.requests.linkUp(peer);
    for (const { name } of this.running) this.options.context.send(peer, { type: "want", name });
    this.dirty = true;
  }

  linkDown(peer: PeerId): void {
    this.requests.linkDown(peer);
    for (const wanted of this.wantedByName.values()) wanted.dropSource(peer);
    this.dirty = true;
  }

  // ---- frames -----------------------------------------------------------------------------------------------------------

  have(from: PeerId, { name, first, bitmap }: Extract<Frame, { type: "have" }>): void {
    const wanted = this.wantedByName.get(name);
    if (!wanted?.running) return bitmap.length === 0 ? this.announced(from, name) : undefined;
    if (!wanted.gain(wanted.source(from), first, bitmap)) {
      this.answered = true;
      return;
    }
    wanted.newsAt = this.options.context.now;
    this.dirty = true;
  }

  /** Not wanted yet, or not any more. */
  private announced(from: PeerId, name: string): void {
    const { announced } = this.options.context.linkByPeer.get(from)!;
    announced.add(name);
    if (announced.size > ANNOUNCED_OF_LINK_MAX) announced.delete(announced.keys().next().value!);
  }

  refuse(from: PeerId, { request: id, code }: Extract<Frame, { type: "refuse" }>): void {
    const request = this.requests.refused(from, id);
    if (!request) return;
    const { wanted, piece } = request;
    const { now, draw } = this.options.context;
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
    this.requests.chunk(from, frame);
  }

  // ---- time -------------------------------------------------------------------------------------------------------------

  /** At the end of each step: judges what is late, and asks for what is open. changed: something besides a frame came in. */
  advance(changed: boolean): void {
    const { context } = this.options;
    this.dirty ||= changed;
    if (context.now >= this.dueAt) {
      this.dueAt = Number.POSITIVE_INFINITY;
      this.requests.judgeTime();
      this.dirty = true;
    }
    if (this.answered && !this.dirty) this.due(this.host.advance(this.running));
    this.answered = false;
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
    const { draw, now } = this.options.context;
    if (!this.requests.hasRoom(peer)) return false;
    let best: { wanted: Wanted; source: Source; piece: number; links: number } | undefined;
    for (const wanted of this.running) {
      if (best && best.wanted.urgency !== wanted.urgency) break; // those of a round come first
      if (wanted.open <= 0 || wanted.wrongSize !== undefined) continue;
      const source = wanted.sourceByPeer.get(peer);
      if (source === undefined || source.bits.count === 0) continue;
      if (now < source.usableAt) {
        this.due(source.usableAt);
        continue;
      }
      if (wanted.listNeeded && !wanted.list) {
        if (!wanted.requestByPiece.has(PIECE_LIST) && !wanted.hostRun?.list) {
          best = { wanted, source, piece: PIECE_LIST, links: 0 };
          break;
        }
        if (wanted.isDoubtful) continue; // else pieces need not wait a round trip for the list
      }
      const found = wanted.rarest(source, draw(wanted.pieces));
      if (found && (best === undefined || found.links < best.links)) best = { wanted, source, ...found };
    }
    if (best === undefined) return this.requests.isIdle(peer) && this.takeOver(peer);
    this.ask(peer, best.wanted, best.source, best.piece);
    return true;
  }

  /** Nothing is open for this link, and it is idle: a piece that hardly comes from elsewhere is moved here. */
  private takeOver(peer: PeerId): boolean {
    const { now } = this.options.context;
    for (const request of this.requests.slow()) {
      const { wanted, piece, source: slow } = request;
      if (slow === peer) continue;
      const source = wanted.sourceByPeer.get(peer);
      if (!source || now < source.usableAt || piece === PIECE_LIST || !source.bits.has(piece)) continue;
      this.requests.cancel(request);
      wanted.source(slow).usableAt = now + FAILED_FIRST_MS; // else the piece would come straight back to it
      this.ask(peer, wanted, source, piece);
      return true;
    }
    return false;
  }

  private ask(peer: PeerId, wanted: Wanted, source: Source, piece: number): void {
    this.requests.ask(peer, wanted, piece, source.saidBusy && !this.anotherHas(wanted, piece, source));
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

  private whole({ wanted, source, piece, target }: Request): void {
    const { convict, now } = this.options.context;
    wanted.source(source).failures = 0;
    wanted.newsAt = now;
    if (piece === PIECE_LIST) {
      const fault = wanted.list ? undefined : wanted.takeList(target);
      if (fault !== undefined) return convict(source, `sent ${fault}`);
      this.listCame(wanted);
    } else if (wanted.list || wanted.pieces === 1) this.judge(wanted, piece, source);
    else wanted.senderOfUnchecked.set(piece, source);
  }

  private judge(wanted: Wanted, piece: number, source: PeerId): void {
    const { convict } = this.options.context;
    if (wanted.isGood(piece)) this.take(wanted, piece);
    else if (wanted.list) convict(source, `sent a wrong piece ${piece}`);
    else wanted.doubt(); // a size that was announced wrong looks the same: the list knows
  }

  /** A chunk that has no place. Of a blob of one piece, whose list nobody has seen, the announced size may be what is wrong. */
  private misfit(request: Request): void {
    const { wanted, source, piece } = request;
    const { convict } = this.options.context;
    if (wanted.list || piece === PIECE_LIST) return convict(source, "sent a chunk that has no place in its piece");
    wanted.doubt();
    this.requests.cancel(request);
  }

  private silent({ wanted, source }: Request): void {
    wanted.doubt(); // or its size was announced wrong: the list knows
    this.failed(wanted, source, `was silent for ${REQUEST_TIMEOUT_MS} ms`);
  }

  private listCame(wanted: Wanted): void {
    this.dirty = true;
    const unchecked = [...wanted.senderOfUnchecked];
    wanted.senderOfUnchecked.clear();
    if (wanted.wrongSize === undefined) for (const [piece, source] of unchecked) this.judge(wanted, piece, source);
    else {
      for (const request of [...wanted.requestByPiece.values()]) this.requests.cancel(request);
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

  /** Interest is told for as many blobs as may be asked for now: a round's first, whatever came earlier. */
  private start(): void {
    const { context } = this.options;
    let bytes = 0;
    this.running = [];
    const inOrder = [...this.wantedByName.values()];
    inOrder.sort((a, b) => Number(a.urgency === "background") - Number(b.urgency === "background")); // stable
    for (const wanted of inOrder) {
      bytes += wanted.bytes;
      const first = this.running.length === 0;
      if (!wanted.running && !first && (this.running.length >= RUNNING_MAX || bytes > RUNNING_BYTES_MAX)) continue;
      this.running.push(wanted);
      if (wanted.running) continue;
      wanted.running = true;
      wanted.newsAt = context.now;
      wanted.drawnWaitMs = context.draw(WAIT_DRAWN_MS);
      for (const [peer, { announced }] of context.linkByPeer) {
        context.send(peer, { type: "want", name: wanted.name });
        if (announced.delete(wanted.name)) wanted.gain(wanted.source(peer), 0, new Uint8Array(0));
      }
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
}
