// What crosses between window and peer worker by comlink: control one way, snapshots the other. Bytes of links take their own port.
import type { BackendWish } from "../views/places.ts";
import type { DonorSnapshot } from "../window/types.ts";

export interface StartConfig {
  /** Origin of the host: http(s)://... without a slash at the end. */
  readonly hostBase: string;
  /** ws(s)://... of a host that only passes signals; null: the host does. */
  readonly room: string | null;
  readonly run: string; //               a run's id, or "default"
  /** What the person wants to train with; null: what is faster here. */
  readonly backend: BackendWish;
  readonly build: string;
  /** The slot that this tab had before a reload; a duplicated tab brings its original's. */
  readonly preferredSlot: number | null;
}

export interface PeerApi {
  /** Once, before anything else. `links` is the worker's end of the port to the window's connections. */
  connect(config: StartConfig, links: MessagePort, onSnapshot: (snapshot: DonorSnapshot) => void): void;
  donate(): void;
  pause(reason: string): void;
  resume(): void;
  stop(reason: string): Promise<void>;
  rename(name: string): Promise<void>;
  /** The part of the time in which the device may train, above 0 and at most 1. Kept in this browser. */
  setDuty(share: number): Promise<void>;
  /** The browser says that it is online again: do not wait out the backoff. */
  nudge(): void;
  /** Test builds only: block this phase of every round from now on, until it is released. */
  hold(phase: HoldPhase): void;
  release(phase: HoldPhase): void;
  /** Resolves when something waits in that phase. */
  reached(phase: HoldPhase): Promise<void>;
  /** Test builds only: from now on this peer's updates do not decode. */
  spoilUpdates(): void;
}

/**
 * Named after what has just happened, of which the core has not heard yet. After offered and attested, the host's messages wait;
 * training is held between two steps, and fetching before anybody is asked.
 */
export const holdPhases = [
  "restored",
  "training",
  "trained",
  "encoded",
  "uploaded",
  "offered",
  "fetching",
  "fetched",
  "folded",
  "attested",
  "evaluated",
] as const;
export type HoldPhase = (typeof holdPhases)[number];
