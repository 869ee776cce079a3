// The run as the host tells it, for React: a reader in a thread of its own (watch/reader.ts), and the newest snapshot here.
import type { PeerId, PeerRow, RunDetail } from "#wire";
import type { MemoryNeed } from "../memory-need.ts";
import { emptyWatcher } from "../page-state.ts";
import { findHost } from "./find-host.ts";
import { linkKey, type Rate, type ReaderAsk, type ReaderTell, type Watcher, type WatcherSnapshot } from "./types.ts";

/** What the host says at one time comes as several messages: the page is drawn once for them. */
const TOGETHER_MS = 40;

/** @param run a run's id, or "default" */
export function createWatcher(run: string): Watcher {
  let snapshot: WatcherSnapshot = emptyWatcher;
  const listeners = new Set<() => void>();
  let tellMemory = (_need: MemoryNeed): void => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const set = (change: Partial<WatcherSnapshot>) => {
    snapshot = { ...snapshot, ...change };
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      for (const listener of listeners) listener();
    }, TOGETHER_MS);
  };
  const worker = new Worker(new URL("../watch/run-reader.ts", import.meta.url), {
    type: "module",
    name: "gossamer-reader",
  });
  worker.onmessage = ({ data }: MessageEvent<ReaderTell>) => {
    if (data.memory) tellMemory(data.memory);
    else set(merged(snapshot, data));
  };
  worker.onerror = () => set({ connection: "retrying" }); // its script did not load: without it nobody hears of the host
  const ask = (wish: ReaderAsk) => worker.postMessage(wish);

  void findHost().then(({ base }) => {
    set({ hostBase: base });
    worker.postMessage({ type: "start", base: `${base}/api/runs/${encodeURIComponent(run)}` });
    if (snapshot.momentAsked !== null) ask({ type: "round", round: snapshot.momentAsked });
  });
  return {
    subscribe(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
    getSnapshot: () => snapshot,
    showRound(round) {
      set({ momentAsked: round });
      ask({ type: "round", round });
    },
    play: (roundsPerSecond) => ask({ type: "play", roundsPerSecond }),
    wantPeers: (from) => ask({ type: "peers", from }),
    memoryNeed(limits) {
      ask({ type: "memory", limits });
      return new Promise((resolve) => {
        tellMemory = resolve;
      });
    },
  };
}

/** What did not change stays the same object, so that the views that show it need not draw again. */
export function merged(before: WatcherSnapshot, told: Omit<ReaderTell, "memory">): Partial<WatcherSnapshot> {
  const { peersPage, run: news, rows, rates, ...change } = told;
  const peers = rows?.map((row) => (typeof row === "number" ? before.run?.peers[row] : row)) ?? before.run?.peers;
  const run = { ...before.run, ...news, ...(peers ? { peers } : {}) };
  return {
    ...change,
    ...(change.moment === undefined ? {} : { momentAsked: change.moment?.round ?? null }),
    ...((news || rows) && isWhole(run) ? { run } : {}),
    ...(rates && peers ? ratesOf(peers as readonly PeerRow[], rates) : {}),
    ...(peersPage ? { morePeers: new Map([...before.morePeers, ...indexed(peersPage.from, peersPage.peers)]) } : {}),
  };
}

/** The first of what is told has all of it. */
const isWhole = (run: object): run is RunDetail => "peers" in run && "spec" in run && "churn" in run;

function ratesOf(peers: readonly PeerRow[], rates: Float64Array): Pick<WatcherSnapshot, "rateByPeer" | "rateByLink"> {
  const rateByPeer = new Map<PeerId, Rate>();
  const rateByLink = new Map<string, Rate>();
  let at = 0;
  const next = (): Rate => ({ sent: rates[at++], received: rates[at++] });
  for (const { id, links } of peers) {
    rateByPeer.set(id, next());
    for (const { peer } of links) rateByLink.set(linkKey(id, peer), next());
  }
  return { rateByPeer, rateByLink };
}

const indexed = (from: number, peers: readonly PeerRow[]): [number, PeerRow][] =>
  peers.map((peer, i) => [from + i, peer]);
