// Between window and worker: one raw MessagePort that carries batches. The window owns connections, the worker owns everything else.
//
//   worker -> window: ice, open, signal, frame, close, find-paths, measure        window -> worker: signal, up, connections, down, frame, meters
//
// Frames cross with their buffers transferred. At most two batches are on the way in each direction; what comes meanwhile makes the next
// batch, so that a busy side gets few large messages and an idle one gets each at once, without a timer (hidden windows are throttled).
import type { PeerId } from "#wire";
import type { LinkMeter } from "./links.ts";

export type ToWindow =
  | { type: "ice"; servers: RTCIceServer[] }
  | { type: "open"; peer: PeerId; initiator: boolean }
  | { type: "signal"; peer: PeerId; data: string }
  | { type: "frame"; peer: PeerId; bytes: Uint8Array }
  | { type: "close"; peer: PeerId; reason: string }
  | { type: "close-all"; reason: string }
  | { type: "find-paths" } // they may be others now: this machine slept
  | { type: "measure" };

export type ToWorker =
  | { type: "signal"; peer: PeerId; data: string }
  | { type: "up"; peer: PeerId }
  | { type: "connections"; peer: PeerId; open: number; sending: number } // of this link's, the latter for our chunks
  | { type: "down"; peer: PeerId; reason: string }
  | { type: "frame"; peer: PeerId; bytes: Uint8Array }
  | { type: "meters"; meters: LinkMeter[] };

/** One to fill while the other is on its way. */
const BATCHES_IN_FLIGHT = 2;
/** A side that takes nothing while 24 links fill their windows holds 6 MiB; this much means that it hangs or that a stranger floods us. */
export const QUEUED_BYTES_MAX = 64 * 2 ** 20;

interface Message {
  readonly type: string;
  readonly bytes?: Uint8Array;
}

/** What a MessagePort does here; also what tests fake. */
export interface RawPort {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** @template Out what this side sends  @template In what it takes */
export class BatchPort<Out extends Message, In extends Message> {
  readonly #port: RawPort;
  #queue: Out[] = [];
  #queuedBytes = 0;
  #inFlight = 0;
  #flushing = false;

  constructor(port: RawPort, onMessage: (message: In) => void) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<In[] | "taken">) => {
      if (data === "taken") {
        this.#inFlight--;
        this.#flush();
        return;
      }
      port.postMessage("taken", []);
      for (const message of data) onMessage(message);
    };
  }

  /** Queued in order. False: the other side hangs and the message was dropped. */
  post(message: Out): boolean {
    const bytes = message.bytes?.length ?? 0;
    if (this.#queuedBytes + bytes > QUEUED_BYTES_MAX) return false;
    this.#queuedBytes += bytes;
    this.#queue.push(message);
    if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => {
        this.#flushing = false;
        this.#flush();
      });
    }
    return true;
  }

  #flush(): void {
    if (this.#queue.length === 0 || this.#inFlight >= BATCHES_IN_FLIGHT) return;
    const batch = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#inFlight++;
    const buffers = new Set<ArrayBuffer>();
    for (const { bytes } of batch) if (bytes?.buffer instanceof ArrayBuffer) buffers.add(bytes.buffer);
    this.#port.postMessage(batch, [...buffers]);
  }
}

export type WindowPort = BatchPort<ToWorker, ToWindow>;
export type WorkerPort = BatchPort<ToWindow, ToWorker>;
