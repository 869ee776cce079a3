// Test builds only (VITE_TEST_HOOKS=1): window.__gossamer holds a peer in any phase of a round, so that a test can kill it exactly there.
// It can also make a peer send updates that decode to nothing, and train a part of the time.
import type { Remote } from "comlink";
import { defaultControls } from "../controls/settings.ts";
import { type HoldPhase, holdPhases, type PeerApi } from "../worker/api.ts";

interface TestHooks {
  readonly phases: readonly HoldPhase[];
  hold(phase: HoldPhase): Promise<void>;
  release(phase: HoldPhase): Promise<void>;
  /** Resolves when the peer waits in that phase. */
  reached(phase: HoldPhase): Promise<void>;
  spoilUpdates(): Promise<void>;
  setDuty(duty: number): Promise<void>;
}

declare global {
  interface Window {
    __gossamer?: TestHooks;
  }
}

export function exposeHolds(peer: Remote<PeerApi>): void {
  if (!import.meta.env.VITE_TEST_HOOKS) return;
  window.__gossamer = {
    phases: holdPhases,
    hold: (phase) => peer.hold(phase),
    release: (phase) => peer.release(phase),
    reached: (phase) => peer.reached(phase),
    spoilUpdates: () => peer.spoilUpdates(),
    setDuty: (duty) => peer.allow({ ...defaultControls, duty }),
  };
}
