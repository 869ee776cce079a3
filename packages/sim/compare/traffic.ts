// What an exchange costs a peer on a home line, in bytes and in simulated milliseconds.
//
//   all-gather   each peer's update goes to every other and to the host: n − 1 received, as many sent (peers pass them on), and one to the host
//   ring         all-reduce in two passes: 2 (n − 1) / n of the vector both ways, 2 (n − 1) delays
//   pair         one update each way
//
// bytes of a peer = max(sent, received), whatever was passed on for others included.

export interface Link {
  readonly mbit: number; //    both ways
  readonly delayMs: number; // one way
}

export interface Cost {
  readonly sent: number;
  readonly received: number;
  readonly ms: number;
}

const costOf = ({ mbit, delayMs }: Link, sent: number, received: number, delays: number): Cost => ({
  sent,
  received,
  ms: (Math.max(sent, received) * 8) / (mbit * 1000) + delays * delayMs,
});

/** Of one peer in an exchange where everybody needs everything: offer, commit, fetch. @param bytes of each update, its own included */
export function allGather(link: Link, bytes: readonly number[], own: number): Cost {
  const total = bytes.reduce((sum, each) => sum + each, 0);
  const passed = bytes.length > 1 ? ((bytes.length - 1) / bytes.length) * total : 0;
  return costOf(link, own + passed, total - own, 3);
}

/** Of one peer in a ring all-reduce of a vector. */
export const ringAllReduce = (link: Link, peers: number, vectorBytes: number): Cost => {
  const bytes = (2 * (peers - 1) * vectorBytes) / peers;
  return costOf(link, bytes, bytes, 2 * (peers - 1));
};

export const swap = (link: Link, sent: number, received: number): Cost => costOf(link, sent, received, 2);

/** "20mbit/40ms": a line of 20 Mbit/s whose packets take 40 ms to the other end and back. @throws RangeError */
export function linkFrom(text: string): Link {
  const [, mbit, roundTripMs] = /^(\d+(?:\.\d+)?)mbit\/(\d+(?:\.\d+)?)ms$/.exec(text) ?? [];
  if (!(Number(mbit) > 0)) throw new RangeError(`"${text}" is no line; for example 20mbit/40ms`);
  return { mbit: Number(mbit), delayMs: Number(roundTripMs) / 2 };
}

/** What one peer has moved so far. */
export class Meter {
  sent = 0;
  received = 0;
  trainedMs = 0;

  add({ sent, received }: Pick<Cost, "sent" | "received">): void {
    this.sent += sent;
    this.received += received;
  }

  get bytes(): number {
    return Math.max(this.sent, this.received);
  }
}
