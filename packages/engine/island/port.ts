// The way between the members of an island: ordered messages between each two of them. Who owns the links implements it (a page over data
// channels); tests and benches use lines in memory, as slow as they are asked to be.

/** An island lost a member, or its links: nothing of the step under way is worth anything. The island is formed anew, from the anchor. */
export class IslandLostError extends Error {
  constructor(reason: string) {
    super(`The island fell apart: ${reason}`);
    this.name = "IslandLostError";
  }
}

export interface IslandPort {
  /** Our place among the members; 0 leads, and is the one peer that the swarm knows. */
  readonly rank: number;
  readonly ranks: number;
  /** Queued; arrives whole, behind what was sent to that rank before. The bytes may be transferred: they are the port's from now on. */
  send(to: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** The next message of that rank; messages go to calls in the order of the calls. Rejects with IslandLostError from the end on. */
  receive(from: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Every receive rejects, here and soon at the others. More than once is no matter. */
  end(reason: string): void;
}

/** What a line does to a message: it leaves when those before it have left, `bytes / bytesPerSecond` later, and arrives `latencyMs` after that. */
export interface LineShape {
  readonly latencyMs: number;
  readonly bytesPerSecond: number;
}

interface Line {
  readonly arrived: Uint8Array<ArrayBuffer>[];
  readonly waiting: { resolve: (bytes: Uint8Array<ArrayBuffer>) => void; reject: (error: Error) => void }[];
  last: Promise<void>;
}

/** The ports of an island whose members share this process. With a shape each member's uplink is that fast, whomever it sends to. */
export function islandPorts(ranks: number, shape?: LineShape): IslandPort[] {
  let lost: IslandLostError | undefined;
  const lines = new Map<string, Line>();
  const lineOf = (from: number, to: number): Line => {
    const key = `${from} ${to}`;
    const line = lines.get(key) ?? { arrived: [], waiting: [], last: Promise.resolve() };
    lines.set(key, line);
    return line;
  };
  const uplinkFreeAt = new Array<number>(ranks).fill(0);
  const deliver = (line: Line, bytes: Uint8Array<ArrayBuffer>): void => {
    const next = line.waiting.shift();
    if (next) next.resolve(bytes);
    else line.arrived.push(bytes);
  };
  return Array.from({ length: ranks }, (_, rank) => ({
    rank,
    ranks,
    send(to, bytes) {
      if (lost) return;
      const line = lineOf(rank, to);
      const copy = bytes.slice();
      if (!shape) return deliver(line, copy);
      const now = performance.now();
      uplinkFreeAt[rank] = Math.max(now, uplinkFreeAt[rank]) + (1000 * bytes.length) / shape.bytesPerSecond;
      const inMs = uplinkFreeAt[rank] + shape.latencyMs - now;
      const arrival = new Promise<void>((resolve) => setTimeout(resolve, inMs));
      line.last = Promise.all([line.last, arrival]).then(() => deliver(line, copy));
    },
    receive(from) {
      if (lost) return Promise.reject(lost);
      const line = lineOf(from, rank);
      const bytes = line.arrived.shift();
      if (bytes) return Promise.resolve(bytes);
      return new Promise((resolve, reject) => line.waiting.push({ resolve, reject }));
    },
    end(reason) {
      if (lost) return;
      lost = new IslandLostError(reason);
      for (const { waiting } of lines.values()) for (const { reject } of waiting.splice(0)) reject(lost);
    },
  }));
}
