// A simulated peer's blobs: swarm's Exchange, as in a browser, over simulated links, store and host.
//
//   want -> frames, pieces of the host -> fetched (into the store) | failed
import { Exchange, type ExchangeInput, type ExchangeOutput, type PieceRules } from "#swarm";
import type { PeerId } from "#wire";
import { contentOf } from "./blobs.ts";
import type { BlobStore } from "./disk.ts";

export interface ExchangePorts {
  readonly now: () => number;
  readonly blobs: Pick<BlobStore, "has" | "bytesOf">;
  readonly frame: (to: PeerId, bytes: Uint8Array) => void;
  /** That link is to be closed. */
  readonly close: (peer: PeerId) => void;
  readonly after: (delayMs: number, run: () => void) => void;
  readonly alarm: (delayMs: number, run: () => void) => void; // one: set again, it forgets what it was set to
  readonly timer: (waitMs: number) => number;
  /** So many bytes of that blob from the host, from that piece on (-1: the piece list): how many the whole has, or undefined when it does not come. */
  readonly askHost: (name: string, first: number, bytes: number, done: (blobBytes: number | undefined) => void) => void;
  readonly fetched: (name: string, bytes: number, fromHost: boolean) => void;
  readonly failed: (name: string, reason: string) => void;
}

export class ExchangeNode {
  /** Links that were cut because of what came over them. */
  convicted = 0;
  private readonly ports: ExchangePorts;
  private readonly rules: PieceRules;
  readonly core: Exchange;
  /** Blobs of which the host gave a part. */
  private readonly fromHost = new Set<string>();
  /** The request to the host that counts, by blob. */
  private readonly hostRunByName = new Map<string, ExchangeOutput>();

  constructor(seed: number, rules: PieceRules, ports: ExchangePorts, share?: number) {
    this.ports = ports;
    this.rules = rules;
    this.core = new Exchange({ seed, rules, ...(share === undefined ? {} : { share }) });
  }

  input(input: ExchangeInput): void {
    for (const output of this.core.step(this.ports.now(), input)) this.perform(output);
  }

  private perform(output: ExchangeOutput): void {
    const { ports } = this;
    switch (output.type) {
      case "send":
        return ports.frame(output.to, output.bytes);
      case "close":
        this.convicted += 1;
        return ports.close(output.peer);
      case "look":
        return this.input({ type: "looked", name: output.name, here: ports.blobs.has(output.name) });
      case "read": {
        const { name } = output;
        const blob = ports.blobs.has(name) ? contentOf(name, ports.blobs.bytesOf(name)) : undefined;
        return ports.after(1, () => this.input({ type: "read", name, blob }));
      }
      case "ask-host":
        return this.askHost(output);
      case "stop-host":
        this.hostRunByName.delete(output.name);
        return;
      case "fetched": {
        const { name, blob } = output;
        return ports.fetched(name, blob.length, this.fromHost.delete(name));
      }
      case "failed":
        return ports.failed(output.name, output.reason);
      case "wake":
        return ports.alarm(ports.timer(output.at - ports.now()), () => this.input({ type: "tick" }));
    }
  }

  private askHost(asked: Extract<ExchangeOutput, { type: "ask-host" }>): void {
    const { name, bytes, first, pieces, list } = asked;
    const { pieceBytes, listBytes } = this.rules;
    this.hostRunByName.set(name, asked);
    const size = list ? listBytes(bytes) : Math.min(bytes, (first + pieces) * pieceBytes) - first * pieceBytes;
    this.ports.askHost(name, list ? -1 : first, size, (blobBytes) => {
      if (this.hostRunByName.get(name) !== asked) return; // stopped
      this.hostRunByName.delete(name);
      if (blobBytes === undefined)
        return this.input({ type: "host-failed", name, reason: "the host does not have it" });
      const content = contentOf(name, blobBytes);
      this.fromHost.add(name);
      if (list) return this.input({ type: "host-list", name, list: this.rules.listOf(content) });
      for (let piece = first; piece < first + pieces; piece++) {
        const part = content.subarray(piece * pieceBytes, (piece + 1) * pieceBytes);
        this.input({ type: "host-piece", name, piece, bytes: part });
      }
      this.input({ type: "host-done", name });
    });
  }
}
