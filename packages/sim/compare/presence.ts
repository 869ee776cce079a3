// Who is there: each peer comes and goes by the seed alone, on a clock of inner steps, so that every method of a comparison meets the same churn.
//
//   present   ────────┐        ┌──────────────┐    ┌──
//   away              └────────┘              └────┘          hazard: churn per HAZARD_STEPS; an absence lasts HAZARD_STEPS on average
//
// The first peer stays: a swarm that nobody is in teaches nothing about a method.
import { Random } from "../random.ts";

/** `churn` is the share of peers that leave in so many inner steps: a round or a few, by the method. */
export const HAZARD_STEPS = 100;

interface Change {
  readonly at: number; // inner step
  readonly present: boolean;
}

export class Presence {
  private readonly churn: number;
  private readonly changesByPeer: Change[][];
  private readonly randomByPeer: Random[];

  constructor({ seed, peers, churn }: { readonly seed: number; readonly peers: number; readonly churn: number }) {
    this.churn = churn;
    this.randomByPeer = Array.from({ length: peers }, (_, peer) => new Random(Math.imul(seed + 1, 0x9e37_79b1) ^ peer));
    this.changesByPeer = this.randomByPeer.map(() => [{ at: 0, present: true }]);
  }

  presentAt(peer: number, step: number): boolean {
    return this.changeBefore(peer, step).present;
  }

  /** There at `from`, and without a break until `until`. */
  staysFor(peer: number, from: number, until: number): boolean {
    const change = this.changeBefore(peer, from);
    return change.present && this.changeBefore(peer, until) === change;
  }

  /** The last change at or before that step. */
  private changeBefore(peer: number, step: number): Change {
    const changes = this.changesByPeer[peer];
    this.extend(peer, step);
    return changes.findLast(({ at }) => at <= step)!;
  }

  private extend(peer: number, step: number): void {
    if (peer === 0 || this.churn === 0) return;
    const changes = this.changesByPeer[peer];
    for (let last = changes.at(-1)!; last.at <= step; last = changes.at(-1)!) {
      const meanSteps = last.present ? HAZARD_STEPS / this.churn : HAZARD_STEPS;
      const steps = Math.max(1, Math.round(-Math.log(1 - this.randomByPeer[peer].unit()) * meanSteps));
      changes.push({ at: last.at + steps, present: !last.present });
    }
  }
}
