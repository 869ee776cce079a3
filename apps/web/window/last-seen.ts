// What a host last said of its run, kept in this browser for when it does not answer: a line, not the run.
import type { SnapshotStore, WatcherSnapshot } from "./types.ts";

export interface LastSeen {
  readonly at: number; //     wall clock, ms since 1970
  readonly name: string;
  readonly round: number;
  readonly tokens: number;
  readonly peers: number;
  readonly trainLoss: number | null;
}

const KEY = "gossamer-last-seen ";
/** Often enough for "last seen"; each is a write to the disk. */
const EVERY_MS = 15_000;
/** A host's schema allows 80 characters; what another page of this origin stored is cut. */
const NAME_LENGTH_MAX = 80;

const isCount = (value: unknown): value is number => typeof value === "number" && value >= 0;

/** What is stored may be old or damaged: then nothing was seen. */
export function lastSeenOf(text: string | null): LastSeen | null {
  try {
    const { at, name, round, tokens, peers, trainLoss } = JSON.parse(text ?? "") as Record<string, unknown>;
    if (typeof name !== "string" || !isCount(at) || !isCount(round) || !isCount(tokens) || !isCount(peers)) return null;
    const loss = typeof trainLoss === "number" ? trainLoss : null;
    return { at, name: name.slice(0, NAME_LENGTH_MAX), round, tokens, peers, trainLoss: loss };
  } catch {
    return null;
  }
}

export function rememberedLastSeen(runName: string): LastSeen | null {
  try {
    return lastSeenOf(localStorage.getItem(KEY + runName));
  } catch {
    return null; // storage refused
  }
}

/** Keeps it while the host speaks. */
export function rememberLastSeen(runName: string, watcher: SnapshotStore<WatcherSnapshot>): void {
  let storedAt = Number.NEGATIVE_INFINITY;
  watcher.subscribe(() => {
    const { run, connection, moment } = watcher.getSnapshot();
    const now = performance.now();
    if (run === null || connection !== "live" || moment !== null || now - storedAt < EVERY_MS) return;
    storedAt = now;
    const { name, round, tokens, head } = run;
    const peers = run.peers.filter(({ state }) => state !== "left").length;
    const seen: LastSeen = { at: Date.now(), name, round, tokens, peers, trainLoss: head.trainLoss };
    try {
      localStorage.setItem(KEY + runName, JSON.stringify(seen));
    } catch {
      // as above
    }
  });
}
