// A blob that is on its way here: which pieces are checked and lie in `blob`, which are asked for, and which link has which.
import type { PeerId, PieceList } from "#wire";
import { assert } from "../assert.ts";
import type { Millis } from "../ports.ts";
import { Bits, type PieceRules, piecesOf } from "./pieces.ts";

/**
 * Whether the host may be asked for what no link has. last: after a wait, because somebody who is linked may soon have it; at-once: the
 * host made it, so there is nothing to wait for; never: it keeps none.
 */
export type HostUse = "last" | "at-once" | "never";

/** round: what a round needs, or whoever joins it. background: it gives way to that, on links and at the host. */
export type Urgency = "round" | "background";

/** What one link has of it. */
export interface Source {
  readonly bits: Bits;
  /** It answered our `want`, if only with nothing. */
  answered: boolean;
  /** Not asked before: it said busy, or a request failed. */
  usableAt: Millis;
  failures: number;
  saidBusy: boolean;
}

/** One `ask` under way. */
export interface Request {
  readonly id: number;
  readonly wanted: Wanted;
  readonly source: PeerId;
  readonly piece: number; //        or PIECE_LIST
  readonly target: Uint8Array;
  readonly chunks: Bits; //         that came
  readonly startedAt: Millis;
  received: number;
  /** Came and is not acknowledged yet: [from, to). */
  ackFrom: number;
  ackTo: number;
}

export class Wanted {
  readonly name: string;
  readonly bytes: number;
  readonly pieces: number;
  readonly host: HostUse;
  readonly urgency: Urgency;
  readonly checked: Bits;
  readonly sourceByPeer = new Map<PeerId, Source>();
  readonly requestByPiece = new Map<number, Request>();
  /** Came before the list, and wait for it: who sent each. */
  readonly senderOfUnchecked = new Map<number, PeerId>();
  /** Asked of the host now: pieces [first, end); none while the list is asked for. */
  hostRun: { first: number; end: number; list: boolean; heardAt: Millis } | undefined;
  hostFailures = 0;
  hostAt: Millis = Number.NEGATIVE_INFINITY;
  /** Interest was told to the links. */
  running = false;
  drawnWaitMs = 0;
  /** When a link got more of it, or gave us a piece. */
  newsAt: Millis;
  /** The list says another size than whoever wanted it: no source can do better. */
  wrongSize: string | undefined;
  list: PieceList | undefined;
  listBytes: Uint8Array | undefined;
  /** A blob of one piece is its own proof: its list is asked for only when that piece was wrong. */
  listNeeded: boolean;
  /** Something did not fit its announced size: nothing but the list is asked for until that is here. */
  isDoubtful = false;
  readonly failures: string[] = [];
  private readonly rules: PieceRules;
  private readonly linksByPiece: Uint16Array;
  private memory: Uint8Array | undefined;

  constructor(
    now: Millis,
    { name, bytes, host, urgency }: Pick<Wanted, "name" | "bytes" | "host" | "urgency">,
    rules: PieceRules,
  ) {
    this.name = name;
    this.bytes = bytes;
    this.host = host;
    this.urgency = urgency;
    this.rules = rules;
    this.pieces = piecesOf(bytes, rules);
    this.checked = new Bits(this.pieces);
    this.linksByPiece = new Uint16Array(this.pieces);
    this.newsAt = now;
    this.listNeeded = this.pieces > 1;
  }

  /** Its bytes; pieces that are not checked hold anything. */
  get blob(): Uint8Array {
    this.memory ??= new Uint8Array(this.bytes);
    return this.memory;
  }

  piece(index: number): Uint8Array {
    const { pieceBytes } = this.rules;
    return this.blob.subarray(index * pieceBytes, Math.min((index + 1) * pieceBytes, this.bytes));
  }

  source(peer: PeerId): Source {
    const present = this.sourceByPeer.get(peer);
    if (present) return present;
    const bits = new Bits(this.pieces);
    const source = { bits, answered: false, usableAt: Number.NEGATIVE_INFINITY, failures: 0, saidBusy: false };
    this.sourceByPeer.set(peer, source);
    return source;
  }

  dropSource(peer: PeerId): void {
    const source = this.sourceByPeer.get(peer);
    if (!source) return;
    this.sourceByPeer.delete(peer);
    for (let piece = 0; piece < this.pieces; piece++) if (source.bits.has(piece)) this.linksByPiece[piece] -= 1;
  }

  /** From a `have`. Bits beyond the last piece mean nothing. @returns whether that is news */
  gain(source: Source, first: number, bitmap: Uint8Array): boolean {
    const before = source.bits.count;
    source.answered = true;
    const end = bitmap.length === 0 ? this.pieces : Math.min(this.pieces, first + 8 * bitmap.length);
    for (let piece = bitmap.length === 0 ? 0 : first; piece < end; piece++) {
      const set = bitmap.length === 0 || (bitmap[(piece - first) >> 3] & (1 << (piece & 7))) !== 0;
      if (set && source.bits.set(piece)) this.linksByPiece[piece] += 1;
    }
    return source.bits.count > before;
  }

  /** The source does not have it after all. */
  lose(source: Source, piece: number): void {
    if (piece < 0 || !source.bits.has(piece)) return;
    source.bits.bytes[piece >> 3] &= ~(1 << (piece & 7));
    source.bits.count -= 1;
    this.linksByPiece[piece] -= 1;
  }

  /** Pieces that are neither here nor asked for. */
  get open(): number {
    return this.pieces - this.checked.count - this.senderOfUnchecked.size - this.requestByPiece.size;
  }

  isOpen(piece: number): boolean {
    const { hostRun } = this;
    if (this.checked.has(piece) || this.senderOfUnchecked.has(piece) || this.requestByPiece.has(piece)) return false;
    return hostRun === undefined || piece < hostRun.first || piece >= hostRun.end;
  }

  /** Of the open pieces that the source has, one that the fewest links have; the search begins at a drawn place. */
  rarest(source: Source, start: number): { piece: number; links: number } | undefined {
    if (source.bits.count === 0) return undefined;
    let best: { piece: number; links: number } | undefined;
    for (let i = 0, piece = start; i < this.pieces; i++, piece = piece + 1 === this.pieces ? 0 : piece + 1) {
      if (!source.bits.has(piece) || !this.isOpen(piece)) continue;
      const links = this.linksByPiece[piece];
      if (best === undefined || links < best.links) best = { piece, links };
      if (links === 1) break;
    }
    return best;
  }

  /** The first open piece, from a drawn place on, that no usable link has. */
  unreachable(now: Millis, start: number): number | undefined {
    const usable = [...this.sourceByPeer.values()].filter((source) => source.saidBusy || source.usableAt <= now);
    for (let i = 0, piece = start; i < this.pieces; i++, piece = piece + 1 === this.pieces ? 0 : piece + 1)
      if (this.isOpen(piece) && !usable.some(({ bits }) => bits.has(piece))) return piece;
    return undefined;
  }

  /** Whether a piece that is whole in its place is the right one. */
  isGood(piece: number): boolean {
    const bytes = this.piece(piece);
    return this.list ? this.rules.isGood(this.list, piece, bytes) : this.rules.nameOf(bytes) === this.name;
  }

  /** @returns why these bytes are not its list; undefined when they are */
  takeList(bytes: Uint8Array): string | undefined {
    const list = this.rules.decodeList(bytes, this.name);
    if (!list) return "a piece list of another name";
    this.listBytes = bytes;
    if (list.bytes === this.bytes) this.list = list;
    else this.wrongSize = `it has ${list.bytes} bytes, announced were ${this.bytes}`;
    return undefined;
  }

  /** Its announced size may be wrong: the list knows. */
  doubt(): void {
    this.listNeeded = true;
    this.isDoubtful = true;
  }

  check(piece: number): void {
    assert(this.checked.set(piece), "a piece is taken once");
  }
}
