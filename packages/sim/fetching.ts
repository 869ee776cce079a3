// How a simulated peer moves blobs over its links: it asks one source after the other, by name, and the host last.
//
//   want <name> -> blob <name> <bytes> | none <name>
import type { PeerId } from "#wire";

/** A source that has not answered by then is passed over. */
const ANSWER_MS = 3_000;

export interface FetchPorts {
  readonly has: (name: string) => boolean;
  readonly bytesOf: (name: string) => number;
  readonly linked: (peer: PeerId) => boolean;
  readonly frame: (to: PeerId, bytes: Uint8Array) => void;
  readonly after: (delayMs: number, run: () => void) => void;
  /** Another peer has sent it. */
  readonly received: (name: string, bytes: number) => void;
}

interface Asked {
  readonly source: PeerId;
  readonly others: readonly PeerId[];
  readonly noSource: () => void;
}

const encode = (...words: readonly (string | number)[]): Uint8Array => new TextEncoder().encode(words.join(" "));

export class Fetching {
  private readonly ports: FetchPorts;
  private readonly askedByName = new Map<string, Asked>();

  constructor(ports: FetchPorts) {
    this.ports = ports;
  }

  /** @param noSource nobody of them has it */
  ask(name: string, sources: readonly PeerId[], noSource: () => void): void {
    const [source, ...others] = sources;
    if (source === undefined) {
      this.askedByName.delete(name);
      return noSource();
    }
    const asked = { source, others, noSource };
    this.askedByName.set(name, asked);
    if (!this.ports.linked(source)) return this.ports.after(1, () => this.next(name, asked));
    this.ports.frame(source, encode("want", name));
    this.ports.after(ANSWER_MS, () => this.next(name, asked));
  }

  frame(from: PeerId, bytes: Uint8Array): void {
    const [type, name, size] = new TextDecoder().decode(bytes).split(" ");
    if (type === "want") {
      const answer = this.ports.has(name) ? encode("blob", name, this.ports.bytesOf(name)) : encode("none", name);
      return this.ports.frame(from, answer);
    }
    const asked = this.askedByName.get(name);
    if (asked?.source !== from) return; // doubled, late, or changed on the way
    if (type === "none") return this.next(name, asked);
    if (type !== "blob" || !(Number(size) > 0)) return;
    this.askedByName.delete(name);
    this.ports.received(name, Number(size));
  }

  linkDown(peer: PeerId): void {
    for (const [name, asked] of this.askedByName) if (asked.source === peer) this.next(name, asked);
  }

  private next(name: string, asked: Asked): void {
    if (this.askedByName.get(name) === asked) this.ask(name, asked.others, asked.noSource);
  }
}
