// What crosses between window and peer worker by comlink: control one way, snapshots the other. Bytes of links take their own port.
import type { RunSpec } from "#wire";
import type { Controls } from "../controls/settings.ts";
import type { BackendWish, TestPlan } from "../views/places.ts";
import type { Observed } from "../window/conditions.ts";
import type { DonorSnapshot } from "../window/types.ts";

export interface StartConfig {
  /** Origin of the host: http(s)://... without a slash at the end. */
  readonly hostBase: string;
  /** ws(s)://... of a host that only passes signals; null: the host does. */
  readonly room: string | null;
  readonly run: string; //               a run's id, or "default"
  /** Of an invitation link; null: none. */
  readonly invite: string | null;
  /** What the person wants to train with; null: what is faster here. */
  readonly backend: BackendWish;
  /** To train with other tabs, among so many at least, also what fits this one alone; null: alone where it fits. */
  readonly island: number | null;
  /** Test builds: of the device's memory, so much and no more. */
  readonly memoryBytes: number | null;
  /** Test builds: what an island's members share, whatever the host says. All of them have to. */
  readonly testPlan: TestPlan;
  readonly build: string;
  /** The slot that this tab had before a reload; a duplicated tab brings its original's. */
  readonly preferredSlot: number | null;
  readonly name: string;
  readonly controls: Controls;
  readonly observed: Observed;
}

export interface PeerApi {
  /** Once, before anything else. `links` is the worker's end of the port to the window's connections. */
  connect(config: StartConfig, links: MessagePort, onSnapshot: (snapshot: DonorSnapshot) => void): Promise<void>;
  /** Tries this machine for that run; a press of the button waits for its end. */
  check(spec: RunSpec): Promise<void>;
  /** The person wants to; it begins as soon as settings and conditions let it. */
  donate(paused: boolean): void;
  /** The person's own hand. */
  pause(): void;
  resume(): void;
  stop(reason: string): Promise<void>;
  /** Shown to others from the next connection on. */
  rename(name: string): void;
  allow(controls: Controls): void;
  observe(observed: Observed): void;
  /** The browser says that it is online again: do not wait out the backoff. */
  nudge(): void;
  /** The browser had frozen this tab for so long. */
  thawed(ms: number): void;
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
