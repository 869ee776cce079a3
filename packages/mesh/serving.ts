// The answering half of the exchange: chunks of the blobs that are here, within a window of unacknowledged bytes per link.
//
//   want -> (read) -> chunk, chunk, ... while sent - acknowledged < WINDOW_BYTES -> ack -> more chunks
import {
  BLOB_BYTES_MAX,
  CHUNK_BYTES,
  encodePieceList,
  type Frame,
  type PeerId,
  PIECE_BYTES,
  pieceListBytes,
  WINDOW_BYTES,
} from "#wire";

/** An honest peer has two pieces per blob on the way and eight blobs at once, rarely from one source. */
const REQUESTS_PER_LINK_MAX = 16;
/** Blobs held for serving: a round's updates of a small swarm, or one large blob. */
const HELD_BYTES_MAX = 32 * 2 ** 20;
/** A link that acknowledges nothing for so long gave the request up without a word. */
export const SERVE_TIMEOUT_MS = 15_000;

interface Serve {
  readonly request: number;
  readonly pieceList: boolean;
  bytes: Uint8Array | undefined; //  undefined while it is being read
  sent: number;
  acknowledged: number;
  progressAt: number;
}

export interface ServingOptions {
  readonly read: (name: string) => Promise<Uint8Array | undefined>;
  readonly send: (to: PeerId, frame: Frame) => void;
  readonly now: () => number;
}

export class Serving {
  readonly #options: ServingOptions;
  readonly #servesByPeer = new Map<PeerId, Serve[]>(); // served in order
  readonly #held = new Map<string, Promise<HeldBlob | undefined>>(); // oldest use first
  readonly #heldBytesByName = new Map<string, number>();

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  linkUp(peer: PeerId): void {
    this.#servesByPeer.set(peer, []);
  }

  linkDown(peer: PeerId): void {
    this.#servesByPeer.delete(peer);
  }

  async want(from: PeerId, frame: Extract<Frame, { type: "want" }>): Promise<void> {
    const serves = this.#servesByPeer.get(from);
    if (!serves) return;
    const { request, pieceList } = frame;
    const refuse = (code: 1 | 2 | 3) => this.#options.send(from, { type: "refuse", request, pieceList, code });
    if (serves.length >= REQUESTS_PER_LINK_MAX) return refuse(3);
    if (serves.some((other) => other.request === request)) return refuse(2);
    if (frame.bytes > (pieceList ? pieceListBytes(BLOB_BYTES_MAX) : PIECE_BYTES)) return refuse(2);

    const progressAt = this.#options.now();
    const serve: Serve = { request, pieceList, bytes: undefined, sent: 0, acknowledged: 0, progressAt };
    serves.push(serve);
    const blob = await this.#hold(frame.name);
    if (this.#servesByPeer.get(from) !== serves || !serves.includes(serve)) return; // the link went, or another one came
    const whole = pieceList ? blob?.pieceList() : blob?.bytes;
    const end = frame.offset + frame.bytes;
    if (!whole || end > whole.length) {
      serves.splice(serves.indexOf(serve), 1);
      return refuse(whole ? 2 : 1);
    }
    if (frame.bytes === 0) {
      serves.splice(serves.indexOf(serve), 1);
      return;
    }
    serve.bytes = whole.subarray(frame.offset, end);
    serve.progressAt = this.#options.now();
    this.#pump(from, serves);
  }

  ack(from: PeerId, frame: Extract<Frame, { type: "ack" }>): void {
    const serves = this.#servesByPeer.get(from);
    const serve = serves?.find((candidate) => candidate.request === frame.request);
    // What it cannot have received does not open the window.
    if (!serves || !serve || frame.received <= serve.acknowledged || frame.received > serve.sent) return;
    serve.acknowledged = frame.received;
    serve.progressAt = this.#options.now();
    if (serve.acknowledged === serve.bytes?.length) serves.splice(serves.indexOf(serve), 1);
    this.#pump(from, serves);
  }

  tick(): void {
    const oldest = this.#options.now() - SERVE_TIMEOUT_MS;
    for (const [peer, serves] of this.#servesByPeer) {
      // Only what has unacknowledged bytes can time out: the others wait for their turn.
      const live = serves.filter((serve) => serve.sent === serve.acknowledged || serve.progressAt > oldest);
      if (live.length === serves.length) continue;
      serves.splice(0, serves.length, ...live); // in place: whoever waits for a blob to be read holds this very list
      this.#pump(peer, serves);
    }
  }

  #pump(to: PeerId, serves: readonly Serve[]): void {
    let unacknowledged = serves.reduce((sum, serve) => sum + serve.sent - serve.acknowledged, 0);
    for (const serve of serves) {
      while (serve.bytes && serve.sent < serve.bytes.length) {
        const payload = serve.bytes.subarray(serve.sent, serve.sent + CHUNK_BYTES);
        if (unacknowledged + payload.length > WINDOW_BYTES) return;
        const { request, pieceList, sent: offset } = serve;
        if (unacknowledged === 0) serve.progressAt = this.#options.now();
        serve.sent += payload.length;
        unacknowledged += payload.length;
        this.#options.send(to, { type: "chunk", request, pieceList, offset, payload });
      }
    }
  }

  /** Reads a blob once for all the pieces that are asked of it. */
  async #hold(name: string): Promise<HeldBlob | undefined> {
    const present = this.#held.get(name);
    if (present) {
      this.#held.delete(name); // to the young end
      this.#held.set(name, present);
      return present;
    }
    const reading = this.#options.read(name).then(
      (bytes) => (bytes ? new HeldBlob(bytes) : undefined),
      () => undefined, // a store that fails has nothing to serve; its owner reports it elsewhere
    );
    this.#held.set(name, reading);
    const blob = await reading;
    if (!blob) this.#held.delete(name);
    else this.#heldBytesByName.set(name, blob.bytes.length);
    this.#shrink(name);
    return blob;
  }

  #shrink(keep: string): void {
    let bytes = [...this.#heldBytesByName.values()].reduce((sum, one) => sum + one, 0);
    for (const name of [...this.#held.keys()]) {
      if (bytes <= HELD_BYTES_MAX) return;
      const freed = this.#heldBytesByName.get(name);
      if (name === keep || freed === undefined) continue;
      this.#held.delete(name);
      this.#heldBytesByName.delete(name);
      bytes -= freed;
    }
  }
}

class HeldBlob {
  readonly bytes: Uint8Array;
  #pieceList: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  pieceList(): Uint8Array {
    this.#pieceList ??= encodePieceList(this.bytes);
    return this.#pieceList;
  }
}
