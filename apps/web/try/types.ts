// What the page and the thread that continues texts say to each other.
//
//   page --TryAsk--> thread: list the checkpoints, write, stop          thread --TryTell--> page: what changed of the snapshot
import type { AdapterDescription } from "#engine";
import type { Sampling } from "#engine/generation";
import type { CheckpointRow, Samples, TokenizerRef } from "#wire";
import type { CheckpointFault, TriedModel } from "./checkpoints.ts";

/** none: nothing is sealed yet, or nothing kept. The others but the host's: what createGenerator and its generators reject with, and what is our own. */
export type TryFault =
  | CheckpointFault
  | "none"
  | "device-lost"
  | "out-of-memory"
  | "too-large"
  | "diverged" // the checkpoint's logits are not finite
  | "failed";

export interface TryProblem {
  readonly fault: TryFault;
  readonly message: string; // in English, as it was thrown
}

export type SideState = "fetching" | "starting" | "reading" | "writing" | "done" | "stopped" | "failed";

/** One checkpoint that writes. */
export interface TrySide {
  readonly round: number;
  readonly anchorHash: string;
  readonly state: SideState;
  readonly bytes: number; //     fetched, of bytesTotal
  readonly bytesTotal: number;
  readonly prompt: string;
  readonly text: string;
  readonly tokens: number;
  readonly tokensPerSecond: number | null;
  readonly problem: TryProblem | null;
}

export interface TrySnapshot {
  /** What the host keeps, newest first; null: not asked yet. */
  readonly checkpoints: readonly CheckpointRow[] | null;
  /** What is tried unless another one is asked for: the anchor of now, else the newest checkpoint; null: there is none, or nobody asked. */
  readonly newest: CheckpointRow | null;
  /** What the host let it write at each checkpoint; null: nobody asked, or this host has none. */
  readonly samples: Samples | null;
  /** Why there is no list, or why nothing is written. */
  readonly problem: TryProblem | null;
  readonly sides: readonly TrySide[];
  readonly busy: boolean;
  /** What writes: an adapter; null: the processor; undefined: nothing yet. */
  readonly adapter: AdapterDescription | null | undefined;
  /** Rounds whose parameters are here already: writing with them fetches nothing. */
  readonly here: readonly number[];
  /** The GPU could not, so the processor does: its reason. */
  readonly insteadOfGpu: string | null;
}

export const emptyTry: TrySnapshot = {
  checkpoints: null,
  newest: null,
  samples: null,
  problem: null,
  sides: [],
  busy: false,
  adapter: undefined,
  here: [],
  insteadOfGpu: null,
};

export interface TryWish {
  readonly prompt: string;
  readonly tokens: number;
  readonly sampling: Sampling;
  /** One checkpoint, or two side by side; null: the newest. */
  readonly rounds: readonly (number | null)[];
  readonly backend: "webgpu" | "processor";
}

/** What of a run's spec says how its checkpoints write. */
export interface TriedRun extends TriedModel {
  readonly tokenizer: TokenizerRef;
}

export type TryAsk =
  | {
      readonly type: "start";
      readonly base: string;
      readonly run: string;
      readonly spec: TriedRun;
    }
  | { readonly type: "list" }
  | ({ readonly type: "write" } & TryWish)
  | { readonly type: "stop" };

export type TryTell = Partial<TrySnapshot>;
