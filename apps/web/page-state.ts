// The one snapshot that the whole page is a function of, and what a person can do to it.
import type { Machine } from "./machine.ts";
import type { MemoryNeed } from "./memory-need.ts";
import type { TrySnapshot } from "./try/types.ts";
import type { LastSeen } from "./window/last-seen.ts";
import type { DonorSnapshot, Volunteer, VolunteerSnapshot, WatcherSnapshot } from "./window/types.ts";
import type { Words } from "./words/index.ts";
import type { Language } from "./words/language.ts";

export type Place = "donate" | "watch";
export type ChartAxis = "rounds" | "tokens" | "time";

/** paused: the person had pressed Pause. replaced: the host took no page of that version any more. */
export type Earlier = "interrupted" | "discarded" | "paused" | "replaced" | null;

export interface PageSnapshot {
  /** Every text, in the language that the person reads. */
  readonly words: Words;
  readonly place: Place;
  /** As the address names it: a run's id, or "default". */
  readonly runName: string;
  /** Everything that this browser kept of the volunteer was deleted just now. */
  readonly forgotten: boolean;
  /** What became of this tab's donation before this page was loaded. */
  readonly earlier: Earlier;
  /** What the host last said of the run in an earlier visit; null: nothing that is kept. */
  readonly lastSeen: LastSeen | null;
  /** The host came back with a page of another build, and this one is busy. */
  readonly newerPage: boolean;
  readonly axis: ChartAxis;
  /** For a wall: large, without what one presses or reads closely. */
  readonly kiosk: boolean;
  readonly machine: Machine;
  /** null until run and adapter are known. */
  readonly memory: MemoryNeed | null;
  /** null until what this browser keeps is read. */
  readonly volunteer: VolunteerSnapshot | null;
  readonly donor: DonorSnapshot;
  readonly watcher: WatcherSnapshot;
  /** What "Try the model" shows; null: it has a thread of its own, once somebody comes near it. */
  readonly tried: TrySnapshot | null;
}

export interface PageActions
  extends Pick<Volunteer, "allow" | "rename" | "allowNetwork" | "exportKey" | "importKey" | "measureStorage"> {
  /** Everything that this browser keeps of this site goes; then the page begins anew. */
  forget(): void;
  /** Tries this machine for the run, and trains nothing. */
  check(): void;
  donate(): void;
  pause(): void;
  resume(): void;
  stop(): void;
  setAxis(axis: ChartAxis): void;
  go(place: Place): void;
  /** Loads the page anew, as the host now serves it. */
  loadNewerPage(): void;
  speak(language: Language): void;
  /** Looks at the run as it was after so many rounds; null: live again. */
  showRound(round: number | null): void;
  play(roundsPerSecond: number): void;
  wantPeers(from: number): void;
}

/** The donor before its code is loaded: what the page shows until the button is pressed. */
export const idleDonor: DonorSnapshot = {
  status: "idle",
  task: null,
  problem: null,
  check: null,
  link: "waiting",
  notices: [],
  pausedBecause: [],
  hostConnected: false,
  peer: null,
  name: "",
  slot: null,
  secondTab: false,
  adapter: null,
  spec: null,
  run: null,
  phase: null,
  round: 0,
  anchorHash: null,
  step: 0,
  steps: 0,
  stepMs: null,
  windows: null,
  trainedMs: 0,
  bytesToday: 0,
  tokensPerSecond: 0,
  tokensOffered: 0,
  rounds: 0,
  lossHistory: [],
  evalHistory: [],
  members: [],
  links: [],
  island: null,
  bytesSent: 0,
  bytesReceived: 0,
  bytesFromHost: 0,
  bytesToHost: 0,
  desyncs: 0,
  endReason: null,
};

export const emptyWatcher: WatcherSnapshot = {
  connection: "connecting",
  hostBase: "",
  run: null,
  otherRuns: [],
  sizes: null,
  morePeers: new Map(),
  trainLoss: [],
  evalLoss: [],
  tokensPerSecond: [],
  roster: [],
  contributors: [],
  updateBytes: [],
  roundMs: [],
  rounds: [],
  overview: null,
  mesh: null,
  rateByPeer: new Map(),
  rateByLink: new Map(),
  momentAsked: null,
  moment: null,
  roundsPerSecond: 0,
};
