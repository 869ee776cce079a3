// The thread that continues texts, for React: the newest snapshot of what it has written.
import type { SnapshotStore } from "../window/types.ts";
import { emptyTry, type TriedRun, type TryAsk, type TrySnapshot, type TryTell, type TryWish } from "./types.ts";

export interface Trial extends SnapshotStore<TrySnapshot> {
  list(): void;
  write(wish: TryWish): void;
  stop(): void;
  /** Frees the thread, and what it has of a device. */
  end(): void;
}

/** @param base the host's origin */
export function createTrial(base: string, run: string, spec: TriedRun): Trial {
  let snapshot = emptyTry;
  const listeners = new Set<() => void>();
  const set = (change: TryTell): void => {
    snapshot = { ...snapshot, ...change };
    for (const listener of listeners) listener();
  };
  const worker = new Worker(new URL("./try-worker.ts", import.meta.url), { type: "module", name: "gossamer-try" });
  worker.onmessage = ({ data }: MessageEvent<TryTell>) => set(data);
  worker.onerror = (event) => {
    event.preventDefault();
    const problem = { fault: "failed", message: event.message || "its script did not load" } as const;
    set({ problem, busy: false, sides: [] });
  };
  const ask = (wish: TryAsk) => worker.postMessage(wish);
  ask({ type: "start", base, run, spec });
  return {
    subscribe(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
    getSnapshot: () => snapshot,
    list: () => ask({ type: "list" }),
    write(wish) {
      set({ busy: true, sides: [] }); // what was written before is not the answer to this
      ask({ type: "write", ...wish });
    },
    stop: () => ask({ type: "stop" }),
    end: () => worker.terminate(),
  };
}
