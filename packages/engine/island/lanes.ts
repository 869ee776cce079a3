// Several conversations over one port: what is said in one lane does not wait for another's order. Each message begins with its lane.
import { type IslandLostError, type IslandPort, type Lane, Mailbox } from "./port.ts";

const HEADER_BYTES = 4; // so that numbers behind it stay on their boundaries

export class Lanes {
  readonly #port: IslandPort;
  readonly #boxes = new Map<string, Mailbox>();
  /** Resolves when the island is over; never rejects. */
  readonly lost: Promise<IslandLostError>;
  #lost: IslandLostError | undefined;
  #tellLost: (lost: IslandLostError) => void = () => {};

  constructor(port: IslandPort) {
    this.#port = port;
    this.lost = new Promise((resolve) => {
      this.#tellLost = resolve;
    });
    for (let from = 0; from < port.ranks; from++) if (from !== port.rank) void this.#pump(from);
  }

  lane(id: number): Lane {
    const { rank, ranks } = this.#port;
    return {
      rank,
      ranks,
      send: (to, bytes) => {
        const message = new Uint8Array(HEADER_BYTES + bytes.length);
        message[0] = id;
        message.set(bytes, HEADER_BYTES);
        this.#port.send(to, message);
      },
      receive: (from) => this.#box(from, id).take(),
    };
  }

  #box(from: number, id: number): Mailbox {
    const key = `${from} ${id}`;
    const box = this.#boxes.get(key) ?? new Mailbox(this.#lost);
    this.#boxes.set(key, box);
    return box;
  }

  async #pump(from: number): Promise<void> {
    try {
      for (;;) {
        const message = await this.#port.receive(from);
        this.#box(from, message[0]).put(message.slice(HEADER_BYTES));
      }
    } catch (error) {
      this.#lost = error as IslandLostError;
      for (const box of this.#boxes.values()) box.end(this.#lost);
      this.#tellLost(this.#lost);
    }
  }
}

/** What a rank's exchanges came to since it was made. */
export interface ExchangeTotals {
  readonly exchanges: number;
  /** Sent, to all others together. */
  readonly bytes: number;
  /** From a message's leaving the device to the answer's arrival, or what was waited for it, added up. */
  readonly ms: number;
  /** Of it, while something else was computed; 0 where that is not measured. */
  readonly hiddenMs: number;
}

export const NO_EXCHANGES: ExchangeTotals = { exchanges: 0, bytes: 0, ms: 0, hiddenMs: 0 };

/** The same lane, whose bytes are added up. */
export const counted = (lane: Lane, totals: { bytes: number }): Lane => ({
  ...lane,
  send: (to, bytes) => {
    totals.bytes += bytes.length;
    lane.send(to, bytes);
  },
});
