// swarm's Exchange at work in a browser or in Node: frames over open links, the local store, the host over HTTP, and a timer.
//
//   links, store, host -> Exchange.step -> outputs -> links, store, host -> ...        fetch(name, bytes) -> its bytes, checked
import { Exchange, type ExchangeInput, type ExchangeOutput, type HostUse, type MadeBlob, type Urgency } from "#swarm";
import type { PeerId } from "#wire";
import type { LinkPort } from "./heartbeat.ts";

/** What the exchange asks of the host: the bytes of one blob, as they come. Rejects when it does not give them. */
export interface HostBlobs {
  pieceList(name: string, blobBytes: number, signal: AbortSignal): Promise<Uint8Array>;
  pieces(
    run: { readonly name: string; readonly bytes: number; readonly first: number; readonly pieces: number },
    onPiece: (piece: number, bytes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface BlobExchangeOptions {
  readonly port: LinkPort;
  readonly host: HostBlobs;
  /** Blobs that this peer serves: is it here; its bytes, which nobody changes. */
  readonly has: (name: string) => Promise<boolean>;
  readonly read: (name: string) => Promise<Uint8Array | undefined>;
  readonly now: () => number; // monotonic, ms
  /** 32 random bits. */
  readonly seed: number;
  /** An attempt failed; others follow as long as the blob is wanted. */
  readonly onFailed?: (name: string, reason: string) => void;
  readonly onMisbehaviour?: (peer: PeerId, reason: string) => void;
}

interface Waiting {
  readonly promise: Promise<Uint8Array>;
  readonly resolve: (blob: Uint8Array) => void;
  readonly reject: (error: FetchCancelled) => void;
}

/** Nobody wants that blob any more. */
export class FetchCancelled extends Error {
  constructor(name: string) {
    super(`blob ${name.slice(0, 12)} is not wanted any more`);
    this.name = "FetchCancelled";
  }
}

export class BlobExchange {
  readonly #options: BlobExchangeOptions;
  readonly #core: Exchange;
  readonly #waitingByName = new Map<string, Waiting>();
  readonly #hostRunByName = new Map<string, AbortController>();
  readonly #inputs: ExchangeInput[] = []; // the first is being worked on
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: BlobExchangeOptions) {
    this.#options = options;
    this.#core = new Exchange({ seed: options.seed });
  }

  linkComing(peer: PeerId): void {
    this.#step({ type: "link-coming", peer });
  }

  linkUp(peer: PeerId): void {
    this.#step({ type: "link-up", peer });
  }

  linkDown(peer: PeerId): void {
    this.#step({ type: "link-down", peer });
  }

  /** So many connections of that link are open, and so many of them take our chunks: each has a window of its own. */
  connections(peer: PeerId, { open, sending }: { readonly open: number; readonly sending: number }): void {
    this.#step({ type: "connections", peer, open, sending });
  }

  receive(from: PeerId, bytes: Uint8Array): void {
    this.#step({ type: "frame", from, bytes });
  }

  /** Now in the local store, and served from there. */
  hold(name: string, made: MadeBlob): void {
    this.#step({ type: "hold", name, bytes: made.blob.length, made });
  }

  drop(names: readonly string[]): void {
    this.#step({ type: "drop", names });
  }

  /** The blob's bytes, checked against its name. Goes on until it has them, or until `cancel`. A second fetch of a name joins the first. */
  fetch(name: string, bytes: number, host: HostUse = "last", urgency: Urgency = "round"): Promise<Uint8Array> {
    const present = this.#waitingByName.get(name);
    if (present) return present.promise;
    let resolve!: Waiting["resolve"];
    let reject!: Waiting["reject"];
    const promise = new Promise<Uint8Array>((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    this.#waitingByName.set(name, { promise, resolve, reject });
    if (this.#closed) this.#cancelled(name);
    else this.#step({ type: "want", name, bytes, host, urgency });
    return promise;
  }

  /** Its promise rejects with FetchCancelled. */
  cancel(name: string): void {
    this.#step({ type: "unwant", name });
    this.#cancelled(name);
  }

  /** Ends everything that is under way. */
  close(): void {
    for (const name of [...this.#waitingByName.keys()]) this.cancel(name);
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #cancelled(name: string): void {
    const waiting = this.#waitingByName.get(name);
    this.#waitingByName.delete(name);
    waiting?.reject(new FetchCancelled(name));
  }

  /** One after the other: what an output leads to comes after the other outputs of its step. */
  #step(input: ExchangeInput): void {
    this.#inputs.push(input);
    if (this.#inputs.length > 1) return;
    try {
      for (let next: ExchangeInput | undefined = input; next !== undefined; next = this.#inputs[0]) {
        const outputs = this.#closed ? [] : this.#core.step(this.#options.now(), next);
        for (const output of outputs) this.#perform(output);
        this.#inputs.shift();
      }
    } finally {
      this.#inputs.length = 0; // also when a port failed
    }
  }

  #perform(output: ExchangeOutput): void {
    const { port, now, has, read, onFailed, onMisbehaviour } = this.#options;
    switch (output.type) {
      case "send":
        return port.send(output.to, output.bytes);
      case "close":
        onMisbehaviour?.(output.peer, output.reason);
        return port.close(output.peer, output.reason);
      case "look": {
        const { name } = output;
        // A store that fails has nothing to serve; its owner reports it elsewhere.
        const looked = (here: boolean) => this.#step({ type: "looked", name, here });
        return void has(name).then(looked, () => looked(false));
      }
      case "read": {
        const { name } = output;
        const got = (blob: Uint8Array | undefined) => this.#step({ type: "read", name, blob });
        return void read(name).then(got, () => got(undefined));
      }
      case "ask-host":
        return void this.#askHost(output);
      case "stop-host":
        this.#hostRunByName.get(output.name)?.abort();
        this.#hostRunByName.delete(output.name);
        return;
      case "fetched": {
        const waiting = this.#waitingByName.get(output.name);
        this.#waitingByName.delete(output.name);
        return waiting?.resolve(output.blob);
      }
      case "failed":
        return onFailed?.(output.name, output.reason);
      case "wake":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#step({ type: "tick" }), Math.max(0, output.at - now()));
        return;
    }
  }

  async #askHost(asked: Extract<ExchangeOutput, { type: "ask-host" }>): Promise<void> {
    const { host } = this.#options;
    const { name } = asked;
    const run = new AbortController();
    this.#hostRunByName.set(name, run);
    const say = (input: ExchangeInput): void => {
      if (this.#hostRunByName.get(name) === run) this.#step(input); // else it was stopped
    };
    const end = (input: ExchangeInput): void => {
      if (this.#hostRunByName.get(name) !== run) return;
      this.#hostRunByName.delete(name);
      this.#step(input);
    };
    try {
      if (asked.list)
        return end({ type: "host-list", name, list: await host.pieceList(name, asked.bytes, run.signal) });
      await host.pieces(asked, (piece, bytes) => say({ type: "host-piece", name, piece, bytes }), run.signal);
      end({ type: "host-done", name });
    } catch (error) {
      end({ type: "host-failed", name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
}
