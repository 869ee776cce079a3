// What comes once in many rounds: checkpoints, by the witness or by peers, and the end of the run. [R20] [R22] [R37]
//
//   sealed -> a checkpoint is due?      goal reached, or the operator's order -> last evaluation and checkpoint -> end
import type { KeptByPeers } from "./kept-by-peers.ts";
import type { Next } from "./open-round.ts";
import type { Millis, SequencerOutput } from "./ports.ts";
import type { RunState } from "./run-state.ts";
import { END_WAIT_MS, type Wake } from "./timing.ts";
import type { Visits } from "./visits.ts";
import type { WitnessLine } from "./witness-line.ts";

export interface MilestonesOptions {
  readonly log: RunState;
  readonly visits: Visits;
  readonly line: WitnessLine;
  readonly kept: KeptByPeers | undefined;
  readonly wake: Wake;
  readonly emit: (output: SequencerOutput) => void;
}

export class Milestones {
  private readonly options: MilestonesOptions;
  private checkpointAsked = 0; // round
  private endWaitUntil: Millis | undefined;

  constructor(options: MilestonesOptions) {
    this.options = options;
  }

  /** [R20] Also of the last anchor. The witness folds in order, so it is still at this anchor when it reads this. */
  checkpointIfDue(): void {
    const { round, checkpoint, spec, endReached, ended } = this.options.log;
    if (round === 0 || ended !== undefined || (checkpoint?.round ?? 0) >= round || this.checkpointAsked === round)
      return;
    if (this.options.kept !== undefined) return this.askCheckpoint(this.options.kept);
    if (round % spec.checkpoint.everyRounds !== 0 && endReached === undefined) return;
    this.checkpointAsked = round;
    this.options.line.add({ type: "checkpoint", round });
  }

  /** [R37] When too few answered alike, after the next round again. */
  private askCheckpoint(kept: KeptByPeers): void {
    const { round, checkpoint, spec, endReached, anchorHash } = this.options.log;
    if (round - (checkpoint?.round ?? 0) < spec.checkpoint.everyRounds && endReached === undefined) return;
    const asked = kept.askCheckpoint(round, anchorHash!);
    if (asked.length > 0) this.checkpointAsked = round;
    for (const output of asked) this.options.emit(output);
  }

  /**
   * [R22] The goal is reached: the last evaluation and the last checkpoint, then `end`. Where peers keep the updates, those who are done
   * leave with them, so everybody has folded before.
   * @param ordered by the operator [R23]
   */
  ending(now: Millis, reason: string, ordered: boolean): Next | undefined {
    const { round, evals, checkpoint } = this.options.log;
    const behind = this.options.kept !== undefined && this.options.visits.here.awakeElsewhere(round) > 0;
    const done = !behind && (ordered || (evals.at(-1)?.round === round && checkpoint?.round === round));
    this.endWaitUntil ??= now + END_WAIT_MS;
    if (!done && now < this.endWaitUntil) return this.options.wake.want(this.endWaitUntil);
    return { body: { type: "end", reason } };
  }
}
