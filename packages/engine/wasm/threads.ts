// The engine's threads, in a browser and in Node alike: messages out, answers in, an end. What they understand is in wasm-thread.js.
import { DeviceLostError, GpuError, OutOfMemoryError } from "../errors.ts";
import type { Program } from "./program.ts";

export type Command =
  | { readonly run: string }
  | { readonly write: number; readonly data: ArrayBuffer }
  | { readonly clear: number; readonly bytes: number };

export interface ThreadsOptions {
  readonly module: WebAssembly.Module;
  readonly pages: number;
  /** Where the threads' own words lie. */
  readonly control: number;
  /** One address per thread. */
  readonly scratch: readonly number[];
  readonly programs: Readonly<Record<string, Program>>;
}

type Answer =
  | { readonly ready: true }
  | { readonly id: number; readonly values: readonly ArrayBuffer[] }
  | { readonly error: { readonly name: string; readonly message: string } };

/** The one difference between a browser's worker and Node's. */
interface Worker_ {
  postMessage(message: unknown, transfer: Transferable[]): void;
  terminate(): void;
}

/** Spelt out once more where bundlers look for workers: Node finds it by this name, beside the sources and beside the bundle. */
const THREAD_FILE = "./wasm-thread.js";

function startWorker(onAnswer: (answer: Answer) => void, onError: (message: string) => void): Worker_ {
  const node = globalThis.process?.getBuiltinModule?.("node:worker_threads");
  if (node) {
    const worker = new node.Worker(new URL(THREAD_FILE, import.meta.url));
    worker.on("message", onAnswer);
    worker.on("error", (error: Error) => onError(error.message));
    return {
      postMessage: (message, transfer) => worker.postMessage(message, transfer as never),
      terminate: () => void worker.terminate(),
    };
  }
  const worker = new Worker(new URL("./wasm-thread.js", import.meta.url), { type: "module", name: "gossamer-wasm" });
  worker.onmessage = ({ data }) => onAnswer(data);
  worker.onerror = (event) => onError(event.message || "its script did not load");
  return worker;
}

/** Whether threads may share memory here: in Node always, in a browser when the page is isolated (COOP, COEP). */
export const canShareMemory = (): boolean =>
  typeof SharedArrayBuffer !== "undefined" && (globalThis.crossOriginIsolated ?? globalThis.process !== undefined);

export class Threads {
  /** Resolves when a thread failed or the engine was destroyed; never rejects. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly #workers: Worker_[] = [];
  readonly #waiting = new Map<
    number,
    { resolve: (values: readonly ArrayBuffer[]) => void; reject: (e: Error) => void }
  >();
  #next = 0;
  #failure: DeviceLostError | undefined;
  #tellLost: (reason: { reason: string; message: string }) => void = () => {};

  private constructor() {
    this.lost = new Promise((resolve) => {
      this.#tellLost = resolve;
    });
  }

  /** Rejects with OutOfMemoryError or GpuError. */
  static async open({ module, pages, control, scratch, programs }: ThreadsOptions): Promise<Threads> {
    const threads = scratch.length;
    const own = new Threads();
    try {
      const memory =
        threads === 1 ? undefined : new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
      await Promise.all(
        scratch.map((address, index) => {
          const start = { module, memory, pages, control, index, threads, scratch: address, programs };
          return own.#start(index, start);
        }),
      );
      return own;
    } catch (error) {
      own.#end("failed", String(error));
      if (error instanceof RangeError)
        throw new OutOfMemoryError(`The browser gave no ${pages / 16} MiB of memory to train in: ${error.message}`);
      throw error instanceof GpuError
        ? error
        : new GpuError(`The engine's threads did not start: ${error}`, { cause: error });
    }
  }

  /** In the order of calls. Rejects with DeviceLostError. */
  call(
    commands: readonly Command[],
    reads: readonly { readonly at: number; readonly bytes: number }[] = [],
  ): Promise<readonly ArrayBuffer[]> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#next++;
    const runs = commands.filter((command) => "run" in command);
    this.#workers.forEach((worker, i) => {
      if (i === 0)
        worker.postMessage(
          { id, commands, reads },
          commands.flatMap((c) => ("data" in c ? [c.data] : [])),
        );
      else if (runs.length > 0) worker.postMessage({ id, commands: runs, reads: [] }, []);
    });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  end(): void {
    this.#end("destroyed", "the engine was destroyed");
  }

  #start(index: number, start: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (name: string, message: string): void => {
        const error = name === "RangeError" ? new RangeError(message) : new GpuError(message);
        reject(error);
        this.#end("unknown", `a thread failed: ${message}`); // the others would wait for it at the next barrier
      };
      const worker = startWorker(
        (answer) => {
          if ("ready" in answer) resolve();
          else if ("error" in answer) fail(answer.error.name, answer.error.message);
          else this.#answer(answer.id, answer.values);
        },
        (message) => fail("Error", message),
      );
      this.#workers[index] = worker;
      worker.postMessage({ start }, []);
    });
  }

  #answer(id: number, values: readonly ArrayBuffer[]): void {
    this.#waiting.get(id)?.resolve(values);
    this.#waiting.delete(id);
  }

  #end(reason: string, message: string): void {
    if (this.#failure) return;
    this.#failure = new DeviceLostError(reason, message);
    for (const worker of this.#workers) worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
    this.#tellLost({ reason, message });
  }
}
