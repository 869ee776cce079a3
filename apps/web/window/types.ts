// What the page draws: two snapshots, plain data, replaced whole (never changed in place), so that useSyncExternalStore can compare
// them by identity. A snapshot crosses from the worker a few times a second; nothing here is an effect.
//
//   createDonor()         -> subscribe, getSnapshot: DonorSnapshot, actions       this browser as a peer
//   createWatcher(run)    -> subscribe, getSnapshot: WatcherSnapshot, wishes      the run as the host tells it, without a peer

import type { AdapterDescription, MemoryLimits } from "#engine";
import type { PeerPhase } from "#swarm";
import type {
  IslandWait,
  LinkReport,
  Member,
  Moment,
  Overview,
  PeerId,
  PeerRow,
  RoundTimes,
  RunDetail,
  RunSpec,
  RunSummary,
  VolunteerId,
} from "#wire";
import type { PauseReason } from "../controls/decide.ts";
import type { ControlName, Controls } from "../controls/settings.ts";
import type { KeyFault } from "../identity/key-link.ts";
import type { MemoryNeed } from "../memory-need.ts";
import type { seriesShown } from "../watch/series-shown.ts";
import type { Words } from "../words/index.ts";
import type { Abilities, Observed } from "./conditions.ts";
import type { Awake } from "./keep-awake.ts";

/**
 * idle: the button was not pressed. starting: identity, adapter, engine, host. donating: takes part (phase says what it does now).
 * paused: `pausedBecause` says why. stopped: the person's wish. ended: the run is over. blocked: cannot go on by itself; `problem` says why and the way out.
 */
type DonorStatus = "idle" | "starting" | "donating" | "paused" | "stopped" | "ended" | "blocked";

/** blocked by one of the first group; the second group are notices while donating goes on. */
export type ProblemCode =
  | "insecure-context" // WebGPU needs https or localhost
  | "no-webgpu" //        the browser has none, or it is switched off
  | "no-adapter" //       WebGPU without an adapter
  | "device-lost" //      the GPU went away, and again after a restart
  | "out-of-memory"
  | "model-too-large"
  | "wrong-results" //    this GPU or its driver computes wrongly
  | "no-slot" //          sixteen tabs of this browser donate already
  | "refused" //          the host will not have this peer
  | "worker-failed" //    a bug of ours, or the browser ended the worker
  | "host-gone" //        retried by itself, for ever
  | "line-blocked" //     the host answers, but no WebSocket gets through to it; retried like that
  | "storage-refused" //  private window or blocked storage: memory instead, the identity lives as long as the tab
  | "storage-full"
  | "software-adapter" // a CPU poses as a GPU: slow
  | "moments-on-disk" //  the GPU's memory is short: each step reads and writes a file
  | "no-gpu" //           the processor trains, through WebAssembly
  | "second-tab" //       another tab of this browser donates: one GPU serves both
  | "frozen" //           the browser stopped this tab to spare energy
  | "interrupted" //      the page was loaded anew while it donated
  | "discarded" //        the browser threw the tab out to spare memory, and loaded it again
  | "not-forgotten" //    the browser did not delete what it keeps for this site
  | "no-links"
  | "slept"; //        other peers are here but no link opened: their updates come through the host

/** Something that the person should read: what it is, and what to do about it. */
export interface Problem {
  readonly code: ProblemCode;
  readonly message: string; // in English, as reports and tests have it
  readonly remedy: string;
  /** Which text of the catalogue that is, and what was put into it: the page says it in its own language. */
  readonly told?: { readonly text: keyof Words["problems"]; readonly given: readonly unknown[] };
  /** What whoever mends it needs to see, as text to pass on. */
  readonly report?: string;
}

/** round: rounds folded when it was measured. step: inner steps since this page started to donate. */
export interface LossPoint {
  readonly round: number;
  readonly step: number;
  readonly loss: number;
}

/** At most this many points are kept; beyond that every second one of the older half goes. */
export const HISTORY_MAX = 2000;

/** One open link as this peer meters it; rates over the last seconds. */
export interface LinkView extends LinkReport {
  readonly name: string;
  readonly sendBytesPerSecond: number;
  readonly receiveBytesPerSecond: number;
}

/** What a member of an island holds of each layer, or which layers; first ones are counted from 1. rows: a part of each text's positions. */
export type IslandPart =
  | {
      readonly kind: "heads";
      readonly first: number;
      readonly count: number;
      readonly of: number;
      readonly columns: number;
      readonly ofColumns: number;
    }
  | { readonly kind: "layers"; readonly first: number; readonly count: number; readonly of: number }
  | { readonly kind: "rows" };

/** This tab and islands: several tabs that hold one model among them. Null in a snapshot: it trains alone. */
export interface IslandView {
  /** training: it leads one, or serves the one who leads. */
  readonly state: "waiting" | "forming" | "training";
  /** By the person's own wish; else because the model does not fit, as `why` says. */
  readonly isWished: boolean;
  readonly why: string | null;
  /** Among so many members it would fit, as this one is; the fewest. */
  readonly ranksMin: number;
  /** What the host says of the wait; null: nothing yet. */
  readonly waits: { readonly missing: number; readonly because: IslandWait } | null;
  /** Why the island before fell apart. */
  readonly over: string | null;
  readonly rank: number | null; //           0 leads
  readonly part: IslandPart | null;
  /** What crosses between members now: sums a second, how long each takes, the part of that time in which something was computed, bytes that this tab sends; null: nothing does. */
  readonly exchange: {
    readonly perSecond: number;
    readonly ms: number;
    readonly hidden: number;
    readonly bytesPerSecond: number;
  } | null;
  readonly members: readonly PeerId[]; //    by rank
}

/** Long work that keeps the person waiting: what, and how far. bytes for data, weights and checkpoint, rounds for catch-up, pipelines for kernels. */
export interface Task {
  readonly what: "connecting" | "measuring" | "kernels" | "data" | "weights" | "checkpoint" | "catch-up";
  readonly done: number;
  readonly total: number | null; // null: not known
}

export type CheckState = "waiting" | "working" | "passed" | "failed";

/** This machine, tried before it donates. */
export interface MachineCheck {
  readonly adapter: CheckState;
  readonly memory: CheckState;
  readonly results: CheckState;
  readonly problem: Problem | null;
}

/** Which way links would take from here; unknown: the host does not say. */
export type LinkPrognosis = "waiting" | "working" | "direct" | "turn" | "relayed" | "none" | "unknown";

export interface DonorSnapshot {
  readonly status: DonorStatus;
  readonly task: Task | null; //             null: no such work now
  readonly problem: Problem | null; //       why it is blocked
  readonly check: MachineCheck | null; //    null: nobody asked for it
  readonly link: LinkPrognosis;
  readonly notices: readonly Problem[]; //   true right now, and not in the way
  readonly pausedBecause: readonly PauseReason[]; // all that holds it back now; while it is starting or donating none
  readonly hostConnected: boolean;
  readonly peer: PeerId | null;
  readonly name: string;
  readonly slot: number | null;
  readonly secondTab: boolean; //            another tab of this browser donated when this one began
  readonly adapter: AdapterDescription | null;
  readonly spec: RunSpec | null; //          from the host's welcome
  readonly run: string | null;
  readonly phase: PeerPhase | null;
  readonly round: number; //                 rounds folded here
  readonly anchorHash: string | null;
  readonly step: number; //                  inner steps done in this round, of `steps`
  readonly steps: number;
  readonly stepMs: number | null;
  readonly windows: number | null; //        sequences per inner step that this device takes: at most the spec's windowsPerStep
  readonly trainedMs: number; //             that the device computed, since the page was opened
  readonly bytesToday: number; //            of this local day, both ways, all tabs
  readonly tokensPerSecond: number;
  readonly tokensOffered: number; //         by this page since it was opened; what counts is in the run's log
  readonly rounds: number; //                commits that named this peer since the page was opened
  readonly lossHistory: readonly LossPoint[]; // training loss per inner step
  readonly evalHistory: readonly LossPoint[]; // evaluations that this peer was asked for
  readonly members: readonly Member[];
  readonly links: readonly LinkView[];
  readonly island: IslandView | null;
  readonly bytesSent: number; //             to peers
  readonly bytesReceived: number; //         from peers
  readonly bytesFromHost: number;
  readonly bytesToHost: number;
  readonly desyncs: number;
  readonly endReason: string | null;
}

/** Shaped for React's useSyncExternalStore. */
export interface SnapshotStore<T> {
  subscribe(onChange: () => void): () => void;
  getSnapshot(): T;
}

export interface Donor extends SnapshotStore<DonorSnapshot> {
  /** Tries this machine for the run: adapter, memory, results, links. Nothing while it takes part. */
  check(spec: RunSpec): void;
  /** Takes leave of the run and lets go of everything, for good. */
  end(): Promise<void>;
  /** The one button. Also after stop, and after a blocked state (tries again). paused: as somebody who has pressed Pause. */
  donate(paused?: boolean): void;
  pause(): void;
  resume(): void;
  stop(): void;
}

/** What this browser keeps for its volunteer, and what it tells of the machine. */
export interface VolunteerSnapshot {
  readonly controls: Controls;
  /** Stored settings that could not be used and have their defaults; until the person sets one. */
  readonly unusable: readonly (ControlName | "version")[];
  readonly observed: Observed;
  readonly abilities: Abilities;
  readonly awake: Awake;
  readonly name: string;
  /** False: storage is refused, and all this ends with the page. */
  readonly remembers: boolean;
  readonly key: KeyState;
  /** A key that the address brought; it waits for its passphrase. */
  readonly offeredKey: string | null;
  /** What this site takes of the disk, as the browser reckons it; null: it was not asked, or does not tell. */
  readonly storedBytes: number | null;
}

/** What was last done with the key. */
export type KeyState =
  | { readonly kind: "untouched" | "working" }
  | {
      readonly kind: "exported";
      readonly volunteer: VolunteerId;
      readonly text: string;
      readonly link: string;
      readonly qr: { readonly side: number; readonly path: string }; // modules a side; what is dark, as an SVG path
    }
  | { readonly kind: "imported"; readonly volunteer: VolunteerId }
  | { readonly kind: "failed"; readonly fault: KeyFault | "storage" };

export interface Volunteer extends SnapshotStore<VolunteerSnapshot> {
  /** Nothing changes if a value is none. To train only while nobody is here, and to notify, the browser asks the person first, and nothing changes without a yes. */
  allow(change: Partial<Controls>): void;
  /** Shown to others from the next connection on; at most 40 characters. */
  rename(name: string): void;
  allowNetwork(): void;
  exportKey(passphrase: string): void;
  /** From a file, or the one that the address brought. Counts from the next press of the button on. */
  importKey(text: string, passphrase: string): void;
  /** Asks the browser what this site takes of the disk. */
  measureStorage(): void;
  /** Key, text, settings: everything that this browser keeps of this site. Rejects when it cannot be deleted. */
  forget(): Promise<void>;
  /** While it trains. */
  keepAwake(wanted: boolean): void;
}

/** connecting: first answer outstanding. live: events arrive. retrying: the host is gone for now. unknown-run: the host has no such run. */
type WatcherConnection = "connecting" | "live" | "retrying" | "unknown-run";

export interface SeriesPoint {
  readonly round: number;
  readonly tokens: number;
  readonly time: number; // ms since 1970, by the host's clock
  readonly value: number;
}

/** Bytes per second. */
export interface Rate {
  readonly sent: number;
  readonly received: number;
}

export const linkKey = (owner: PeerId, other: PeerId): string => `${owner} ${other}`;

/** A place in the picture: x and y from -1 to 1. */
interface MeshNode {
  readonly id: PeerId;
  readonly name: string;
  readonly state: PeerRow["state"];
  readonly x: number;
  readonly y: number;
}

export interface MeshEdge {
  readonly from: number; //                  places in the list of nodes
  readonly to: number;
  readonly kind: LinkReport["kind"];
  readonly rttMs: number | null;
  readonly bytesPerSecond: number; //        both ways
}

export interface MeshView {
  readonly nodes: readonly MeshNode[];
  readonly edges: readonly MeshEdge[];
  /** Members of each, the leader first: places in the list of nodes. */
  readonly islands: readonly (readonly number[])[];
}

type SeriesShown = (typeof seriesShown)[number];

export interface RunSizes {
  readonly parameters: number;
  /** Floats that peers share: all parameters, or adapters alone. */
  readonly shared: number;
  /** An update's, at most. */
  readonly updateBytes: number;
}

export interface WatcherSnapshot extends Readonly<Record<SeriesShown, readonly SeriesPoint[]>> {
  readonly connection: WatcherConnection;
  /** Origin of the host that has the run, for links to its documents; empty until it is known. */
  readonly hostBase: string;
  readonly run: RunDetail | null;
  /** What else this host serves. */
  readonly otherRuns: readonly RunSummary[];
  /** Known with the run. */
  readonly sizes: RunSizes | null;
  /** Rows of further pages by their place in the whole list, as they were when they were asked for. */
  readonly morePeers: ReadonlyMap<number, PeerRow>;
  /** Newest last; the last one may be open. */
  readonly rounds: readonly RoundTimes[];
  readonly overview: Overview | null;
  readonly mesh: MeshView | null;
  /** Sent and received bytes per second per peer, between the last two details: bandwidth. */
  readonly rateByPeer: ReadonlyMap<PeerId, Rate>;
  /** The same per link; the key is linkKey(owner, other end): each end reports what it measured. */
  readonly rateByLink: ReadonlyMap<string, Rate>;
  /** A round of the past that is looked at: as asked for, and as the host told it. null: live. */
  readonly momentAsked: number | null;
  readonly moment: Moment | null;
  /** Replay: rounds a second; 0 stands still. */
  readonly roundsPerSecond: number;
}

/** From the reader's thread to the page: what changed. */
export type ReaderTell = Partial<
  Omit<WatcherSnapshot, "hostBase" | "morePeers" | "momentAsked" | "run" | "rateByPeer" | "rateByLink">
> & {
  readonly run?: Partial<Omit<RunDetail, "peers">>;
  /** All of its rows in their order; a number is the row that was at that place before, and has not changed. */
  readonly rows?: readonly (PeerRow | number)[];
  /** Of these rows, each followed by its links: bytes sent, and received, a second. */
  readonly rates?: Float64Array;
  readonly peersPage?: { readonly from: number; readonly peers: readonly PeerRow[] };
  readonly memory?: MemoryNeed;
};

/** From the page to the reader's thread. */
export type ReaderAsk =
  | { readonly type: "round"; readonly round: number | null }
  | { readonly type: "play"; readonly roundsPerSecond: number }
  | { readonly type: "peers"; readonly from: number }
  | { readonly type: "memory"; readonly limits: MemoryLimits };

export interface Watcher extends SnapshotStore<WatcherSnapshot> {
  /** Looks at the run as it was after so many rounds; null: live again. */
  showRound(round: number | null): void;
  play(roundsPerSecond: number): void;
  /** Further rows of the list of peers, from that place on. */
  wantPeers(from: number): void;
  /** What this run takes of a machine with such limits: planned in the reader's thread, which has the run. Asked once a page. */
  memoryNeed(limits: MemoryLimits): Promise<MemoryNeed>;
}
