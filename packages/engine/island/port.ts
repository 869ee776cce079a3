// The way between the members of an island: ordered messages between each two of them. Who owns the links implements it (a page over data
// channels); tests and benches use lines in memory, as slow as they are asked to be.
import type { LineShape } from "#wire/island-cost";

/** An island lost a member, or its links: nothing of the step under way is worth anything. The island is formed anew, from the anchor. */
export class IslandLostError extends Error {
  readonly reason: string;
  constructor(reason: string) {
    super(`The island fell apart: ${reason}`);
    this.name = "IslandLostError";
    this.reason = reason;
  }
}

/** One conversation among the members. */
export interface Lane {
  /** Our place among the members; 0 leads, and is the one peer that the swarm knows. */
  readonly rank: number;
  readonly ranks: number;
  /** Queued; arrives whole, behind what was sent to that rank before. The bytes may be transferred: they are the port's from now on. */
  send(to: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** The next message of that rank; messages go to calls in the order of the calls. Rejects with IslandLostError from the end on. */
  receive(from: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** The next message of that rank. Another length than it must have is that member's bug, and the end: rejects with IslandLostError. */
export async function receiveBytes(lane: Lane, from: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const message = await lane.receive(from);
  if (message.length === bytes) return message;
  throw new IslandLostError(`member ${from} sent ${message.length} bytes where ${bytes} belong`);
}

export interface IslandPort extends Lane {
  /** Every receive rejects, here and soon at the others. More than once is no matter. */
  end(reason: string): void;
}

/** Messages that nobody has asked for yet, or calls for messages that have not come. */
export class Mailbox {
  readonly #arrived: Uint8Array<ArrayBuffer>[] = [];
  readonly #waiting: { resolve: (bytes: Uint8Array<ArrayBuffer>) => void; reject: (reason: Error) => void }[] = [];
  #ended: Error | undefined;

  constructor(ended?: Error) {
    this.#ended = ended;
  }

  put(bytes: Uint8Array<ArrayBuffer>): void {
    const next = this.#waiting.shift();
    if (next) next.resolve(bytes);
    else this.#arrived.push(bytes);
  }

  take(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#ended) return Promise.reject(this.#ended);
    const bytes = this.#arrived.shift();
    if (bytes) return Promise.resolve(bytes);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  end(reason: Error): void {
    this.#ended = reason;
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
  }
}

/** The ports of an island whose members share this process. With a shape, which may change, each member's uplink is that fast, whomever it sends to. */
export function islandPorts(ranks: number, shape?: LineShape): IslandPort[] {
  let lost: IslandLostError | undefined;
  const boxes = Array.from({ length: ranks }, () => Array.from({ length: ranks }, () => new Mailbox()));
  return boxes.map((own, rank) => {
    const leave = shape ? slowUplink(shape) : (deliver: () => void) => deliver();
    return {
      rank,
      ranks,
      send: (to, bytes) => {
        const copy = bytes.slice();
        if (!lost) leave(() => boxes[to][rank].put(copy), bytes.length);
      },
      receive: (from) => own[from].take(),
      end: (reason) => {
        if (lost) return;
        lost = new IslandLostError(reason);
        for (const box of boxes.flat()) box.end(lost);
      },
    };
  });
}

/** Messages arrive in their order: each takes its time behind the one before it. */
function slowUplink(shape: LineShape): (deliver: () => void, bytes: number) => void {
  let freeAt = 0;
  const underWay: (() => void)[] = []; // timers are not in order to the millisecond: whichever rings, the oldest message has arrived
  return (deliver, bytes) => {
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + (1000 * bytes) / shape.bytesPerSecond;
    underWay.push(deliver);
    setTimeout(() => underWay.shift()?.(), Math.ceil(freeAt + shape.latencyMs - now)); // a browser drops what is behind the point
  };
}
