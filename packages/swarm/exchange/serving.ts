// The answering half: says what is here to whoever is interested, and sends pieces within each link's window. [R39] [R41]
//
//   `want` -> look -> `have` now, and more whenever a piece is checked      `ask` -> (read) -> chunk, chunk, ... -> `ack` -> more chunks
import { type Frame, type PeerId, PIECE_LIST, type Refusal } from "#wire";
import type { Millis } from "../ports.ts";
import type { Context } from "./context.ts";
import { piecesOf } from "./pieces.ts";
import type { Share } from "./share.ts";
import type { Wanted } from "./wanted.ts";

/** Blobs that one link may be interested in: what a peer asks for at once, and some to spare. */
const INTERESTS_PER_LINK_MAX = 64;
/** A link keeps at most twelve requests open; the others are on their way to being cancelled. */
const REQUESTS_PER_LINK_MAX = 16;
/** `want` frames of a link: a full set at once, then as many as a fast round has. Each may cost a look into the store. */
export const WANTS_BURST = 256;
const WANTS_PER_SECOND = 32;
/** Blobs held in memory for serving: a round's updates of a small swarm, or one large blob. */
const HELD_BYTES_MAX = 32 * 2 ** 20;
/** Whole blobs come into memory: a few at a time. */
const READS_MAX = 4;
/** Names that are known to lie in the store; another look costs little. */
const STORED_MAX = 4_096;
/** A link that acknowledges nothing for so long gave the request up without a word. */
const SERVE_TIMEOUT_MS = 15_000;

interface Serve {
  readonly request: number;
  readonly name: string;
  readonly piece: number;
  bytes: Uint8Array | undefined; //  undefined while the blob is being read
  next: number; //                   chunk to send
  readonly acknowledged: Set<number>; // chunks
  progressAt: Millis;
}

interface Customer {
  readonly interests: Set<string>; // oldest first
  serves: Serve[]; // served in order, piece lists first
  unacknowledged: number;
}

export interface MadeBlob {
  readonly blob: Uint8Array; // nobody changes it
  readonly list: Uint8Array;
}

interface Held {
  readonly blob: Uint8Array;
  list: Uint8Array | undefined;
}

export class Serving {
  private readonly context: Context;
  private readonly onTheWay: (name: string) => Wanted | undefined;
  private readonly customerByPeer = new Map<PeerId, Customer>();
  private readonly heldByName = new Map<string, Held>(); // oldest use first
  private heldBytes = 0;
  private readonly stored = new Set<string>(); // oldest first
  private readonly looking = new Set<string>();
  private readonly reading = new Set<string>();
  private readonly share: Share;
  private dueAt: Millis = Number.POSITIVE_INFINITY;

  constructor(context: Context, share: Share, onTheWay: (name: string) => Wanted | undefined) {
    this.context = context;
    this.share = share;
    this.onTheWay = onTheWay;
  }

  linkUp(peer: PeerId): void {
    this.customerByPeer.set(peer, { interests: new Set(), serves: [], unacknowledged: 0 });
  }

  linkDown(peer: PeerId): void {
    for (const serve of this.customerByPeer.get(peer)?.serves ?? []) this.unpromise(serve);
    this.customerByPeer.delete(peer);
  }

  wants(peer: PeerId, name: string): boolean {
    return this.customerByPeer.get(peer)?.interests.has(name) ?? false;
  }

  // ---- what is here -----------------------------------------------------------------------------------------------------

  /** We want it ourselves: others will ask us for our share of it. */
  expect(name: string, bytes: number): void {
    this.share.hold(name, bytes);
  }

  /** It was made here, and lies in the local store. Who is linked hears of it before wanting it, so that asking needs one round trip. */
  hold(name: string, bytes: number, made?: MadeBlob): void {
    this.share.hold(name, bytes);
    this.store(name);
    if (made) this.keep(name, { ...made });
    const frame = { type: "have", name, first: 0, bitmap: new Uint8Array(0) } as const;
    for (const peer of this.customerByPeer.keys()) this.context.send(peer, frame);
  }

  drop(name: string): void {
    this.stored.delete(name);
    this.heldBytes -= this.heldByName.get(name)?.blob.length ?? 0;
    this.heldByName.delete(name);
  }

  completed({ name, blob, listBytes }: Wanted): void {
    this.store(name);
    this.keep(name, { blob, list: listBytes });
  }

  gained({ name, sourceByPeer }: Wanted, piece: number): void {
    const first = piece - (piece % 8);
    for (const [peer, { interests }] of this.customerByPeer) {
      if (!interests.has(name) || sourceByPeer.get(peer)?.bits.has(piece)) continue;
      this.context.send(peer, { type: "have", name, first, bitmap: Uint8Array.of(1 << (piece - first)) });
    }
  }

  looked(name: string, here: boolean): void {
    if (!this.looking.delete(name)) return;
    if (here) this.store(name);
    const bitmap = here ? new Uint8Array(0) : Uint8Array.of(0);
    if (!this.onTheWay(name)) this.tell(name, { type: "have", name, first: 0, bitmap });
  }

  read(name: string, blob: Uint8Array | undefined): void {
    if (!this.reading.delete(name)) return;
    if (blob) this.keep(name, { blob, list: undefined });
    else this.stored.delete(name);
    for (const [peer, customer] of this.customerByPeer) {
      const waiting = customer.serves.filter((serve) => serve.name === name && !serve.bytes);
      for (const serve of waiting) if (!this.fill(serve)) this.refuse(peer, serve);
      if (waiting.length > 0) this.pump(peer, customer);
    }
    this.readNext();
  }

  // ---- frames -----------------------------------------------------------------------------------------------------------

  want(from: PeerId, { name }: Extract<Frame, { type: "want" | "unwant" }>): void {
    const { context } = this;
    const customer = this.customerByPeer.get(from)!;
    const link = context.linkByPeer.get(from)!;
    link.wantsLeft = Math.min(WANTS_BURST, link.wantsLeft + ((context.now - link.wantsAt) / 1_000) * WANTS_PER_SECOND);
    link.wantsAt = context.now;
    if (link.wantsLeft < 1) return context.fault(from, "asks for too many blobs");
    link.wantsLeft -= 1;
    customer.interests.delete(name);
    customer.interests.add(name);
    if (customer.interests.size > INTERESTS_PER_LINK_MAX)
      customer.interests.delete(customer.interests.values().next().value!); // the oldest
    const wanted = this.onTheWay(name);
    if (wanted) {
      const bitmap = wanted.checked.count === 0 ? Uint8Array.of(0) : wanted.checked.bytes.slice();
      context.send(from, { type: "have", name, first: 0, bitmap });
    } else if (this.stored.has(name)) context.send(from, { type: "have", name, first: 0, bitmap: new Uint8Array(0) });
    else if (!this.looking.has(name)) {
      this.looking.add(name);
      context.emit({ type: "look", name });
    }
  }

  unwant(from: PeerId, name: string): void {
    this.customerByPeer.get(from)!.interests.delete(name);
  }

  ask(from: PeerId, { request, name, piece, again }: Extract<Frame, { type: "ask" }>): void {
    const { context } = this;
    const customer = this.customerByPeer.get(from)!;
    const refuse = (code: Refusal) => context.send(from, { type: "refuse", request, code });
    if (!customer.interests.has(name)) return refuse("not-here");
    if (customer.serves.length >= REQUESTS_PER_LINK_MAX || customer.serves.some((serve) => serve.request === request)) {
      context.fault(from, "has too many requests open");
      return refuse("busy");
    }
    // [R41] Beyond our share: somebody else may have it by now. Who finds nobody asks again, and is served.
    if (!again && piece !== PIECE_LIST && this.share.isFull()) return refuse("busy");
    const progressAt = context.now;
    const serve = { request, name, piece, bytes: undefined, next: 0, acknowledged: new Set<number>(), progressAt };
    if (this.fill(serve)) {
      if (piece === PIECE_LIST)
        customer.serves.unshift(serve); // small, and without it no piece can be passed on
      else customer.serves.push(serve);
      this.pump(from, customer);
    } else if (this.stored.has(name) && !this.heldByName.has(name)) {
      customer.serves.push(serve);
      this.readNext();
    } else refuse(this.heldByName.has(name) ? "no-such-piece" : "not-here");
  }

  cancel(from: PeerId, request: number): void {
    const customer = this.customerByPeer.get(from)!;
    const serve = customer.serves.find((candidate) => candidate.request === request);
    if (serve) this.end(from, customer, serve);
  }

  ack(from: PeerId, { request, offset, bytes }: Extract<Frame, { type: "ack" }>): void {
    const { chunkBytes } = this.context.rules;
    const customer = this.customerByPeer.get(from)!;
    const serve = customer.serves.find((candidate) => candidate.request === request);
    if (!serve?.bytes || offset % chunkBytes !== 0) return;
    // What it cannot have received does not open the window.
    const end = Math.min(serve.next, Math.ceil((offset + bytes) / chunkBytes));
    for (let chunk = offset / chunkBytes; chunk < end; chunk++) {
      if (serve.acknowledged.has(chunk)) continue;
      serve.acknowledged.add(chunk);
      customer.unacknowledged -= this.chunkLength(serve, chunk);
      serve.progressAt = this.context.now;
    }
    if (serve.acknowledged.size * chunkBytes >= serve.bytes.length) this.remove(customer, serve);
    this.pump(from, customer);
  }

  /** At the end of each step. */
  advance(): void {
    const { context } = this;
    if (context.now >= this.dueAt) {
      this.dueAt = Number.POSITIVE_INFINITY;
      for (const [peer, customer] of this.customerByPeer) {
        // Only what has unacknowledged bytes can time out: the others wait for their turn.
        for (const serve of [...customer.serves]) {
          if (serve.next === serve.acknowledged.size) continue;
          const lateAt = serve.progressAt + SERVE_TIMEOUT_MS;
          if (context.now < lateAt) this.dueAt = Math.min(this.dueAt, lateAt);
          else this.end(peer, customer, serve);
        }
      }
    }
    if (this.dueAt < Number.POSITIVE_INFINITY) context.wakeAt(this.dueAt);
  }

  // ---- sending ----------------------------------------------------------------------------------------------------------

  private pump(to: PeerId, customer: Customer): void {
    const { context } = this;
    const link = context.linkByPeer.get(to);
    if (!link) return;
    for (const serve of customer.serves) {
      while (serve.bytes && serve.next * context.rules.chunkBytes < serve.bytes.length) {
        const length = this.chunkLength(serve, serve.next);
        if (customer.unacknowledged + length > link.windowBytes) return;
        const offset = serve.next * context.rules.chunkBytes;
        if (serve.next === serve.acknowledged.size) serve.progressAt = context.now;
        serve.next += 1;
        customer.unacknowledged += length;
        this.dueAt = Math.min(this.dueAt, context.now + SERVE_TIMEOUT_MS);
        const payload = serve.bytes.subarray(offset, offset + length);
        context.send(to, { type: "chunk", request: serve.request, offset, payload });
      }
    }
  }

  private chunkLength({ bytes }: Serve, chunk: number): number {
    const { chunkBytes } = this.context.rules;
    return Math.min(chunkBytes, bytes!.length - chunk * chunkBytes);
  }

  /** The piece from memory, when it is there. */
  private fill(serve: Serve): boolean {
    const { name, piece } = serve;
    const { rules } = this.context;
    const wanted = this.onTheWay(name);
    let bytes: Uint8Array | undefined;
    if (wanted) {
      if (piece === PIECE_LIST) bytes = wanted.list && wanted.listBytes;
      else if (piece < wanted.pieces && wanted.checked.has(piece)) bytes = wanted.piece(piece);
    } else {
      const held = this.heldByName.get(name);
      if (!held) return false;
      this.keep(name, held); // to the young end
      if (piece === PIECE_LIST) {
        held.list ??= rules.listOf(held.blob);
        bytes = held.list;
      } else if (piece < piecesOf(held.blob.length, rules))
        bytes = held.blob.subarray(piece * rules.pieceBytes, (piece + 1) * rules.pieceBytes);
    }
    if (!bytes || bytes.length === 0) return false; // an empty piece is nothing to ask for
    serve.bytes = bytes;
    if (piece !== PIECE_LIST) {
      this.share.hold(name, wanted?.bytes ?? this.heldByName.get(name)!.blob.length);
      this.share.send(name, bytes.length);
    }
    return true;
  }

  private refuse(to: PeerId, serve: Serve): void {
    const customer = this.customerByPeer.get(to)!;
    this.remove(customer, serve);
    const code = this.heldByName.has(serve.name) ? "no-such-piece" : "not-here";
    this.context.send(to, { type: "refuse", request: serve.request, code });
  }

  private end(to: PeerId, customer: Customer, serve: Serve): void {
    this.unpromise(serve);
    for (let chunk = 0; chunk < serve.next; chunk++)
      if (!serve.acknowledged.has(chunk)) customer.unacknowledged -= this.chunkLength(serve, chunk);
    this.remove(customer, serve);
    this.pump(to, customer);
  }

  private unpromise({ name, piece, bytes, next }: Serve): void {
    const unsent = (bytes?.length ?? 0) - next * this.context.rules.chunkBytes;
    if (piece !== PIECE_LIST && unsent > 0) this.share.send(name, -unsent);
  }

  private remove(customer: Customer, serve: Serve): void {
    customer.serves = customer.serves.filter((other) => other !== serve);
  }

  private readNext(): void {
    for (const { serves } of this.customerByPeer.values())
      for (const { name, bytes } of serves) {
        if (this.reading.size >= READS_MAX) return;
        if (bytes || this.reading.has(name)) continue;
        this.reading.add(name);
        this.context.emit({ type: "read", name });
      }
  }

  private tell(name: string, frame: Frame): void {
    for (const [peer, { interests }] of this.customerByPeer) if (interests.has(name)) this.context.send(peer, frame);
  }

  private store(name: string): void {
    this.stored.delete(name);
    this.stored.add(name);
    if (this.stored.size > STORED_MAX) this.stored.delete(this.stored.keys().next().value!);
  }

  /** Read once for all the pieces that are asked of it. */
  private keep(name: string, held: Held): void {
    if (!this.heldByName.delete(name)) this.heldBytes += held.blob.length;
    this.heldByName.set(name, held);
    for (const [oldest, { blob }] of this.heldByName) {
      if (this.heldBytes <= HELD_BYTES_MAX || oldest === name) break;
      this.heldByName.delete(oldest);
      this.heldBytes -= blob.length;
    }
  }
}
