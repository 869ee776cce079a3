// Messages between this member of an island and one other, in parts over the link's frames. No clock, no timer.
//
//   send(bytes) -> parts, as the window allows      part(...) -> whole again, in order -> receive()
//
// Small messages cross at once: nobody is asked. What is on the way and not acknowledged is bounded as for blobs, and by frames, so that empty messages
// count too. A member that nobody listens to at this end stops at HELD_BYTES_MAX until somebody does.
import { encodeIslandFrame, ISLAND_MESSAGE_BYTES_MAX, type IslandFrame, PART_BYTES, WINDOW_BYTES } from "#wire";
import { CONNECTIONS_PER_LINK_MAX } from "./widening.ts";

/** Acknowledged so often: three quarters of the window stay open meanwhile. */
const TOOK_EVERY_BYTES = WINDOW_BYTES / 4;
/** Of one member, when nobody waits for its messages: all that it sends ahead in a step of a model that fits a page. */
export const HELD_BYTES_MAX = 8 * 2 ** 20;
/** An honest member has a window for each connection on the way, and TOOK_EVERY_BYTES that are not worth a frame. */
const UNTOLD_BYTES_MAX = CONNECTIONS_PER_LINK_MAX * WINDOW_BYTES + TOOK_EVERY_BYTES;
/** Unfinished messages: the one whose end and the one whose beginning is in a window, and those between, which lie in it whole. */
const UNFINISHED_BYTES_MAX = 2 * ISLAND_MESSAGE_BYTES_MAX + UNTOLD_BYTES_MAX;

type Part = Extract<IslandFrame, { type: "part" }>;

interface Unfinished {
  readonly target: Uint8Array<ArrayBuffer>;
  readonly came: Set<number>; // offsets
  frameBytes: number;
}

export interface IslandLineOptions {
  readonly island: string;
  readonly sendFrame: (frame: Uint8Array<ArrayBuffer>) => void;
  /** The other end breaks the rules; nothing of it is taken any more. */
  readonly onFault: (reason: string) => void;
}

export class IslandLine {
  readonly #options: IslandLineOptions;
  // To the other end:
  readonly #queue: { readonly message: number; readonly bytes: Uint8Array; offset: number }[] = [];
  #nextSent = 0; // a u32: 136 years of a message a second
  #unacknowledged = 0;
  #windowBytes = WINDOW_BYTES;
  // From it:
  readonly #unfinishedByMessage = new Map<number, Unfinished>();
  #unfinishedBytes = 0;
  readonly #wholeByMessage = new Map<
    number,
    { readonly bytes: Uint8Array<ArrayBuffer>; readonly frameBytes: number }
  >();
  readonly #waiting: { resolve(bytes: Uint8Array<ArrayBuffer>): void; reject(error: Error): void }[] = [];
  #nextDelivered = 0;
  #heldBytes = 0;
  #untoldBytes = 0;

  constructor(options: IslandLineOptions) {
    this.#options = options;
  }

  /** So many connections of the link take our parts: each has a window of its own. */
  connections(sending: number): void {
    this.#windowBytes = sending * WINDOW_BYTES;
    this.#pump();
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.#queue.push({ message: this.#nextSent++, bytes, offset: 0 });
    this.#pump();
  }

  receive(): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#deliver();
    });
  }

  part(part: Part, frameBytes: number): void {
    const { message, bytes, offset, payload } = part;
    const { onFault } = this.#options;
    if (message < this.#nextDelivered || this.#wholeByMessage.has(message)) return onFault("sent a message twice");
    const unfinished = this.#unfinishedByMessage.get(message) ?? this.#begin(message, bytes);
    if (!unfinished) return onFault("began more than fits here");
    if (unfinished.target.length !== bytes) return onFault("gave a message two sizes");
    if (unfinished.came.has(offset)) return onFault("sent a part twice");
    this.#heldBytes += frameBytes;
    this.#untoldBytes += frameBytes;
    if (this.#untoldBytes > UNTOLD_BYTES_MAX) return onFault("sent more than its window");
    unfinished.came.add(offset);
    unfinished.frameBytes += frameBytes;
    unfinished.target.set(payload, offset);
    if (unfinished.came.size >= Math.ceil(bytes / PART_BYTES)) {
      this.#unfinishedByMessage.delete(message);
      this.#unfinishedBytes -= bytes;
      this.#wholeByMessage.set(message, { bytes: unfinished.target, frameBytes: unfinished.frameBytes });
    }
    this.#deliver();
  }

  took(bytes: number): void {
    if (bytes > this.#unacknowledged) return this.#options.onFault("took more than was sent");
    this.#unacknowledged -= bytes;
    this.#pump();
  }

  end(error: Error): void {
    this.#queue.length = 0;
    this.#unfinishedByMessage.clear();
    this.#wholeByMessage.clear();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #begin(message: number, bytes: number): Unfinished | undefined {
    if (this.#unfinishedBytes + bytes > UNFINISHED_BYTES_MAX) return undefined;
    const target = allocated(bytes);
    if (!target) return undefined;
    const unfinished = { target, came: new Set<number>(), frameBytes: 0 };
    this.#unfinishedByMessage.set(message, unfinished);
    this.#unfinishedBytes += bytes;
    return unfinished;
  }

  #pump(): void {
    const { island, sendFrame } = this.#options;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (this.#unacknowledged >= this.#windowBytes) return;
      const { message, bytes, offset } = next;
      const payload = bytes.subarray(offset, offset + PART_BYTES);
      const frame = encodeIslandFrame({ type: "part", island, message, bytes: bytes.length, offset, payload });
      next.offset += PART_BYTES;
      if (next.offset >= bytes.length) this.#queue.shift();
      this.#unacknowledged += frame.length;
      sendFrame(frame);
    }
  }

  #deliver(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const whole = this.#wholeByMessage.get(this.#nextDelivered);
      if (!whole) break;
      this.#wholeByMessage.delete(this.#nextDelivered++);
      this.#heldBytes -= whole.frameBytes;
      this.#waiting.shift();
      next.resolve(whole.bytes);
    }
    const listens = this.#waiting.length > 0 || this.#heldBytes <= HELD_BYTES_MAX;
    if (!listens || this.#untoldBytes < TOOK_EVERY_BYTES) return;
    const { island, sendFrame } = this.#options;
    sendFrame(encodeIslandFrame({ type: "took", island, bytes: this.#untoldBytes }));
    this.#untoldBytes = 0;
  }
}

/** Undefined: this tab's memory has no room for it. */
function allocated(bytes: number): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(bytes);
  } catch {
    return undefined;
  }
}
