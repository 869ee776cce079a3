// Requests under way: one `ask` each, the chunks that answer it, and the time that it may take.
//
//   ask -> chunk, chunk, ... (acknowledged) -> whole        nothing for long -> silent        not wanted any more -> cancel
import { type Frame, type PeerId, PIECE_LIST, REQUEST_MAX } from "#wire";
import type { Millis } from "../ports.ts";
import type { Context, Link } from "./context.ts";
import { Bits, type PieceRules } from "./pieces.ts";
import type { Request, Wanted } from "./wanted.ts";

/** A live link sends a chunk well within this, even when its machine trains on its CPU. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** A link that is silent for so long, or a piece of which less than half has come after so long, is too slow for a link that is idle. */
const SILENT_MS = 2_000;
const SLOW_MS = 8_000;
/**
 * Bytes that one link may be asked for at once, in windows. Two: the second covers the round trip between pieces. Four where there are several connections, which the other side opens on a
 * line that loses packets: with two, eight connections run dry by turns (0.69 instead of 0.75 of such a line).
 */
export const askedBytes = (connections: number, { windowBytes }: PieceRules): number =>
  (connections > 1 ? 4 : 2) * windowBytes;
/** Small blobs: a link serves 16 requests at a time, and some of those are on their way to being cancelled. */
const ASKED_OF_LINK_MAX = 12;
/** Acknowledge every second chunk: half the traffic, and the sender's window (16 chunks) never runs dry. */
const ACK_EVERY_CHUNKS = 2;
/** What may still be on the way after many cancels: as much as a link may have asked for, several times. */
const STRAY_BYTES_MAX = 16 * 2 ** 20;

export interface RequestsOptions {
  readonly context: Context;
  /** All its chunks came; nothing is checked yet. */
  readonly whole: (request: Request) => void;
  /** A chunk that has no place in it. */
  readonly misfit: (request: Request) => void;
  /** Nothing came for REQUEST_TIMEOUT_MS: it is given up. */
  readonly silent: (request: Request) => void;
  /** To be called again then: something may be late. */
  readonly due: (at: Millis) => void;
  /** Its piece is open again, and its link has room. */
  readonly released: () => void;
}

export class Requests {
  private readonly options: RequestsOptions;
  private readonly requestById = new Map<number, Request>();
  private readonly requestsByPeer = new Map<PeerId, Set<Request>>();
  private readonly heardAtByPeer = new Map<PeerId, Millis>();
  private nextId = 1;
  /** When a link last sent us a part of any blob. */
  heardAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(options: RequestsOptions) {
    this.options = options;
  }

  linkUp(peer: PeerId): void {
    this.requestsByPeer.set(peer, new Set());
  }

  linkDown(peer: PeerId): void {
    for (const request of this.requestsByPeer.get(peer) ?? []) this.release(request);
    this.requestsByPeer.delete(peer);
    this.heardAtByPeer.delete(peer);
  }

  /** Whether that link may be asked for one more piece. */
  hasRoom(peer: PeerId): boolean {
    const requests = this.requestsByPeer.get(peer);
    if (!requests || requests.size >= ASKED_OF_LINK_MAX) return false;
    let bytes = 0;
    for (const { target, received } of requests) bytes += target.length - received;
    return bytes < this.options.context.linkByPeer.get(peer)!.askedBytes;
  }

  isIdle(peer: PeerId): boolean {
    return this.requestsByPeer.get(peer)?.size === 0;
  }

  /** @param again that peer said busy before, and nobody else has the piece */
  ask(peer: PeerId, wanted: Wanted, piece: number, again: boolean): void {
    const { context, due } = this.options;
    const { now, rules } = context;
    const target = piece === PIECE_LIST ? new Uint8Array(rules.listBytes(wanted.bytes)) : wanted.piece(piece);
    const id = this.nextId;
    this.nextId = id === REQUEST_MAX ? 1 : id + 1;
    const chunks = new Bits(Math.ceil(target.length / rules.chunkBytes));
    const progress = { chunks, startedAt: now, received: 0, ackFrom: 0, ackTo: 0 };
    const request = { id, wanted, source: peer, piece, target, ...progress };
    this.requestById.set(id, request);
    wanted.requestByPiece.set(piece, request);
    this.requestsByPeer.get(peer)!.add(request);
    context.send(peer, { type: "ask", request: id, name: wanted.name, piece, again });
    due(now + SILENT_MS);
  }

  /** Its link refuses it. @returns undefined when it is not under way there */
  refused(from: PeerId, id: number): Request | undefined {
    const request = this.requestById.get(id);
    if (request?.source !== from) return undefined;
    this.release(request);
    return request;
  }

  chunk(from: PeerId, frame: Extract<Frame, { type: "chunk" }>): void {
    const { context, misfit, whole } = this.options;
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
    if (!fits || payload.length !== Math.min(chunkBytes, target.length - offset)) return misfit(request);
    this.heardAtByPeer.set(from, context.now);
    this.heardAt = context.now;
    if (!chunks.set(index)) return; // twice: by two connections, perhaps
    target.set(payload, offset);
    request.received += payload.length;
    link.received += payload.length;
    this.acknowledge(request, offset, offset + payload.length, chunks.isFull);
    if (!chunks.isFull) return;
    this.release(request);
    whole(request);
  }

  judgeTime(): void {
    const { context, due, silent } = this.options;
    const { now } = context;
    for (const request of [...this.requestById.values()]) {
      const heardAt = this.heardOf(request);
      if (now < heardAt + REQUEST_TIMEOUT_MS) due(heardAt + REQUEST_TIMEOUT_MS);
      else {
        this.cancel(request);
        silent(request);
      }
      if (now < heardAt + SILENT_MS) due(heardAt + SILENT_MS);
      else if (now < request.startedAt + SLOW_MS) due(request.startedAt + SLOW_MS);
    }
  }

  /** Those that hardly come: an idle link takes them over if it has the piece. */
  slow(): Request[] {
    const { now } = this.options.context;
    return [...this.requestById.values()].filter(
      (request) =>
        now >= this.heardOf(request) + SILENT_MS ||
        (now >= request.startedAt + SLOW_MS && 2 * request.received < request.target.length),
    );
  }

  cancel(request: Request): void {
    const { context } = this.options;
    const link: Link | undefined = context.linkByPeer.get(request.source);
    if (link) link.stray = Math.min(link.stray + request.target.length - request.received, STRAY_BYTES_MAX);
    context.send(request.source, { type: "cancel", request: request.id });
    this.release(request);
  }

  /** A link serves in order: bytes of any request show that the others wait for their turn. */
  private heardOf({ source, startedAt }: Request): Millis {
    return Math.max(startedAt, this.heardAtByPeer.get(source) ?? 0);
  }

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

  private release(request: Request): void {
    this.requestById.delete(request.id);
    request.wanted.requestByPiece.delete(request.piece);
    this.requestsByPeer.get(request.source)?.delete(request);
    this.options.released();
  }
}
