// The asking half of the exchange: blobs in pieces, from several peers at once.
//
//   fetch(name, bytes, sources) -> piece list from the first source -> pieces from up to SOURCES_MAX sources, each checked when whole
//
// A source that fails (no link, refusal, silence) loses its place in that transfer: its unfinished pieces go to the next one, finished
// pieces stay. A source that sends wrong bytes is asked for nothing any more (the caller hears of it).
import {
  decodePieceList,
  type Frame,
  type PeerId,
  PIECE_BYTES,
  type PieceList,
  pieceCount,
  pieceIsGood,
  pieceListBytes,
} from "#wire";

/** A live source sends a chunk well within this, even when its machine trains on its CPU. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** A source that trickles: a piece that takes longer comes faster from somebody else, or from the host. */
const REQUEST_MAX_MS = 60_000;
/** Two pieces per source on the way: the second covers the round trip between pieces. */
const REQUESTS_PER_SOURCE = 2;
/** Several peers help on a lossy line; beyond four the receiver's own line is the limit. */
const SOURCES_MAX = 4;
/** Blobs at once; the others wait in order. Bounds memory: a blob's bytes are held from its start. */
const TRANSFERS_MAX = 8;
/** Acknowledge every second chunk: half the traffic, and the sender's window (16 chunks) never runs dry. */
const ACK_EVERY_BYTES = 32 * 1024;

const REQUEST_LIMIT = 2 ** 31; // the top bit says what is wanted

/** Every source failed: the message says how each. The caller may try again, or ask the host. */
export class FetchError extends Error {
  constructor(name: string, faults: readonly string[]) {
    super(`blob ${name.slice(0, 12)} came from no peer: ${faults.join("; ") || "no source given"}`);
    this.name = "FetchError";
  }
}

interface Request {
  readonly id: number;
  readonly transfer: Transfer;
  readonly source: PeerId;
  readonly piece: number; //         -1: the piece list
  readonly target: Uint8Array; //    filled from the front
  received: number;
  acknowledged: number;
  readonly startedAt: number;
}

interface Transfer {
  readonly name: string;
  readonly bytes: number;
  readonly waitingSources: PeerId[];
  readonly activeSources: Set<PeerId>;
  readonly requests: Set<Request>;
  readonly missing: number[]; //     pieces that nobody was asked for, last one first
  readonly faults: string[];
  readonly promise: Promise<Uint8Array>;
  readonly resolve: (blob: Uint8Array) => void;
  readonly reject: (error: FetchError) => void;
  list: PieceList | undefined;
  blob: Uint8Array | undefined;
  piecesLeft: number;
}

export interface FetchingOptions {
  readonly isUp: (peer: PeerId) => boolean;
  readonly send: (to: PeerId, frame: Frame) => void;
  readonly now: () => number;
  /** That peer sent wrong bytes: it is asked for nothing any more. */
  readonly onWrongBytes: (peer: PeerId, reason: string) => void;
}

export class Fetching {
  readonly #options: FetchingOptions;
  readonly #transferByName = new Map<string, Transfer>(); // in order of arrival; the first TRANSFERS_MAX run
  readonly #requestById = new Map<number, Request>();
  readonly #heardAtBySource = new Map<PeerId, number>();
  readonly #distrusted = new Set<PeerId>();
  #nextRequest = 1;

  constructor(options: FetchingOptions) {
    this.#options = options;
  }

  /** Bytes of the blob, checked against its name. Rejects with FetchError when every source failed. A second fetch of a name joins the first. */
  fetch(name: string, bytes: number, sources: readonly PeerId[]): Promise<Uint8Array> {
    const present = this.#transferByName.get(name);
    if (present) {
      const known = new Set([...present.waitingSources, ...present.activeSources]);
      present.waitingSources.push(...sources.filter((source) => !known.has(source)));
      this.#advanceAll();
      return present.promise;
    }
    let resolve!: Transfer["resolve"];
    let reject!: Transfer["reject"];
    const promise = new Promise<Uint8Array>((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    const missing = Array.from({ length: pieceCount(bytes) }, (_, i) => pieceCount(bytes) - 1 - i);
    this.#transferByName.set(name, {
      name,
      bytes,
      waitingSources: [...new Set(sources)],
      activeSources: new Set(),
      requests: new Set(),
      missing,
      faults: [],
      promise,
      resolve,
      reject,
      list: undefined,
      blob: undefined,
      piecesLeft: missing.length,
    });
    this.#advanceAll();
    return promise;
  }

  /** Nobody wants that blob any more; its promise rejects. */
  cancel(name: string): void {
    const transfer = this.#transferByName.get(name);
    if (!transfer) return;
    transfer.faults.push("cancelled");
    this.#finish(transfer);
    this.#advanceAll();
  }

  linkDown(peer: PeerId): void {
    this.#heardAtBySource.delete(peer);
    for (const transfer of [...this.#transferByName.values()]) {
      if (transfer.activeSources.has(peer)) this.#dropSource(transfer, peer, "link lost");
    }
    this.#advanceAll();
  }

  refused(from: PeerId, frame: Extract<Frame, { type: "refuse" }>): void {
    const request = this.#requestById.get(frame.request);
    if (!request || request.source !== from) return;
    const why = { 1: "does not have it", 2: "says bad range", 3: "is busy" }[frame.code];
    this.#dropSource(request.transfer, from, why);
    this.#advanceAll();
  }

  chunk(from: PeerId, frame: Extract<Frame, { type: "chunk" }>): void {
    const end = frame.offset + frame.payload.length;
    const request = this.#requestById.get(frame.request);
    if (!request || request.source !== from) {
      // A request that we gave up: acknowledged and dropped, or it would hold the sender's window for ever.
      this.#options.send(from, { type: "ack", request: frame.request, pieceList: frame.pieceList, received: end });
      return;
    }
    if (frame.offset !== request.received || end > request.target.length) {
      this.#distrust(from, `sent bytes ${frame.offset} to ${end} where ${request.received} was next`);
      return;
    }
    request.target.set(frame.payload, frame.offset);
    request.received = end;
    this.#heardAtBySource.set(from, this.#options.now());
    const whole = end === request.target.length;
    if (whole || end - request.acknowledged >= ACK_EVERY_BYTES) {
      request.acknowledged = end;
      this.#options.send(from, { type: "ack", request: request.id, pieceList: request.piece < 0, received: end });
    }
    if (whole) this.#whole(request);
  }

  tick(): void {
    const now = this.#options.now();
    for (const request of [...this.#requestById.values()]) {
      if (!this.#requestById.has(request.id)) continue; // its source was just dropped
      // A source serves in order: bytes of any request show that the others wait for their turn.
      const heardAt = Math.max(request.startedAt, this.#heardAtBySource.get(request.source) ?? 0);
      if (now - heardAt >= REQUEST_TIMEOUT_MS) {
        this.#dropSource(request.transfer, request.source, `was silent for ${REQUEST_TIMEOUT_MS} ms`);
      } else if (now - request.startedAt >= REQUEST_MAX_MS) {
        this.#dropSource(request.transfer, request.source, `took more than ${REQUEST_MAX_MS} ms for a piece`);
      }
    }
    this.#advanceAll();
  }

  #whole(request: Request): void {
    const { transfer, source } = request;
    this.#forgetRequest(request);
    if (request.piece < 0) this.#takeList(transfer, source, request.target);
    else if (pieceIsGood(transfer.list!, request.piece, request.target)) {
      transfer.piecesLeft--;
      if (transfer.piecesLeft === 0) this.#finish(transfer);
    } else {
      transfer.missing.push(request.piece);
      this.#distrust(source, `sent a wrong piece ${request.piece}`);
    }
    this.#advanceAll();
  }

  #takeList(transfer: Transfer, source: PeerId, bytes: Uint8Array): void {
    const list = decodePieceList(bytes, transfer.name);
    if (!list) this.#distrust(source, "sent a piece list of another name");
    else if (list.bytes !== transfer.bytes) {
      // The name is right, so no source can do better: whoever announced the size was wrong.
      transfer.faults.push(`it has ${list.bytes} bytes, announced were ${transfer.bytes}`);
      this.#finish(transfer);
    } else {
      transfer.list = list;
      transfer.blob = new Uint8Array(list.bytes);
    }
  }

  /** Starts what may run: transfers in their order, sources in theirs. */
  #advanceAll(): void {
    let running = 0;
    for (const transfer of [...this.#transferByName.values()]) {
      if (running++ >= TRANSFERS_MAX) break;
      this.#advance(transfer);
    }
  }

  #advance(transfer: Transfer): void {
    const wanted = transfer.list ? Math.min(SOURCES_MAX, Math.max(1, transfer.piecesLeft)) : 1;
    while (transfer.activeSources.size < wanted) {
      const source = transfer.waitingSources.shift();
      if (source === undefined) break;
      if (this.#distrusted.has(source)) transfer.faults.push(`${short(source)} sent wrong bytes before`);
      else if (!this.#options.isUp(source)) transfer.faults.push(`${short(source)} has no link`);
      else transfer.activeSources.add(source);
    }
    if (transfer.activeSources.size === 0) {
      this.#finish(transfer);
      return;
    }
    for (const source of transfer.activeSources) {
      const own = () => [...transfer.requests].filter((request) => request.source === source).length;
      if (!transfer.list) {
        if (transfer.requests.size === 0) this.#request(transfer, source, -1);
        continue;
      }
      while (transfer.missing.length > 0 && own() < REQUESTS_PER_SOURCE) {
        this.#request(transfer, source, transfer.missing.pop()!);
      }
    }
  }

  #request(transfer: Transfer, source: PeerId, piece: number): void {
    const offset = Math.max(0, piece) * PIECE_BYTES;
    const target =
      piece < 0
        ? new Uint8Array(pieceListBytes(transfer.bytes))
        : transfer.blob!.subarray(offset, Math.min(offset + PIECE_BYTES, transfer.bytes));
    const id = this.#nextRequest;
    this.#nextRequest = (this.#nextRequest + 1) % REQUEST_LIMIT;
    const startedAt = this.#options.now();
    const request: Request = { id, transfer, source, piece, target, received: 0, acknowledged: 0, startedAt };
    transfer.requests.add(request);
    this.#requestById.set(id, request);
    const { name } = transfer;
    this.#options.send(source, { type: "want", request: id, pieceList: piece < 0, name, offset, bytes: target.length });
    if (target.length === 0) this.#whole(request); // an empty blob has one empty piece, and no chunk carries it
  }

  #forgetRequest(request: Request): void {
    request.transfer.requests.delete(request);
    this.#requestById.delete(request.id);
  }

  #dropSource(transfer: Transfer, source: PeerId, why: string): void {
    transfer.faults.push(`${short(source)} ${why}`);
    transfer.activeSources.delete(source);
    for (const request of [...transfer.requests]) {
      if (request.source !== source) continue;
      this.#forgetRequest(request);
      if (request.piece >= 0) transfer.missing.push(request.piece);
    }
  }

  #distrust(peer: PeerId, reason: string): void {
    this.#distrusted.add(peer);
    for (const transfer of [...this.#transferByName.values()]) {
      if (transfer.activeSources.has(peer)) this.#dropSource(transfer, peer, reason);
    }
    this.#options.onWrongBytes(peer, reason);
    this.#advanceAll();
  }

  #finish(transfer: Transfer): void {
    for (const request of [...transfer.requests]) this.#forgetRequest(request);
    this.#transferByName.delete(transfer.name);
    if (transfer.piecesLeft === 0) transfer.resolve(transfer.blob!);
    else transfer.reject(new FetchError(transfer.name, transfer.faults));
  }
}

const short = (peer: PeerId): string => peer.slice(0, 8);
