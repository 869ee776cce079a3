// States in words: one place, so that the state line, the live region and the page's title agree.
import type { RunDetail } from "#wire";
import { goalOf } from "#wire/reasons";
import type { PageSnapshot } from "../page-state.ts";
import type { DonorSnapshot, Task } from "../window/types.ts";
import { sentence } from "../words/format.ts";
import type { Words } from "../words/index.ts";

export function taskLine({ task }: Words, { what, done, total }: Task): string {
  switch (what) {
    case "connecting":
      return task.connecting;
    case "measuring":
      return task.measuring;
    case "kernels":
      return total === null ? task.kernels : task.kernelsDone(done, total);
    case "data":
      return task.dataDone(done, total);
    case "weights":
      return task.weightsDone(done, total);
    case "checkpoint":
      return task.checkpointDone(done, total);
    case "catch-up":
      return task.catchUpDone(done, total);
  }
}

/** The same without how far it is. */
const taskName = ({ task }: Words, { what }: Task): string => (what === "catch-up" ? task.catchUp : task[what]);

/** Why a run is over: a goal in the page's words, an operator's reason in his. */
export function endLine({ ended, panel }: Words, reason: string | null): string {
  const goal = reason === null ? undefined : goalOf(reason);
  return goal ? ended.goals[goal.of](goal.count) : sentence(reason ?? panel.goalReached);
}

/** Of a tab that trains not alone, as long as it is not the one that the run knows. */
function islandLine({ island: words }: Words, { status, island }: DonorSnapshot): string | null {
  if (island === null || (status !== "starting" && status !== "donating")) return null;
  if (island.state !== "training") return words[island.state];
  return island.rank === 0 ? null : words.serving;
}

/** The donor's state as one line: what happens now, in which round, how far. */
export function stateLine(words: Words, donor: DonorSnapshot): string {
  const { status, task, problem } = donor;
  if (status === "blocked" && problem) return words.problemTitles[problem.code];
  if ((status === "starting" || status === "donating") && task) return taskLine(words, task);
  return islandLine(words, donor) ?? (status === "donating" ? phaseLine(words, donor) : words.donor[status]);
}

/** For the page's title: it changes with the round, and not with every step. */
export function stateTitle(words: Words, donor: DonorSnapshot): string {
  const { status, task, phase, round, hostConnected } = donor;
  if ((status === "starting" || status === "donating") && task) return taskName(words, task);
  const inRound = phase === "training" || phase === "folding" || phase === "exchange";
  return status === "donating" && inRound && hostConnected ? words.now.round(round) : stateLine(words, donor);
}

function phaseLine({ donor }: Words, { phase, round, step, steps, hostConnected }: DonorSnapshot): string {
  if (!hostConnected && phase === "exchange") return donor.inRound(round, donor.keptHere);
  if (!hostConnected && phase === "waiting") return donor.waitingForHost;
  switch (phase) {
    case null:
    case "connecting":
      return donor.connecting;
    case "catch-up":
      return donor.catchingUp;
    case "waiting":
      return donor.waitingForRound(round);
    case "training":
      return donor.inRound(round, donor.training(step, steps));
    case "exchange":
      return donor.inRound(round, donor.exchanging);
    case "folding":
      return donor.inRound(round, donor.folding);
    case "paused":
    case "ended":
    case "refused":
      return donor[phase];
  }
}

/** For the live region: coarse on purpose, so that a screen reader hears changes and not every step. */
export function announcement(words: Words, { donor, watcher }: Pick<PageSnapshot, "donor" | "watcher">): string {
  if (watcher.run?.state === "ended") return words.donor.ended;
  switch (donor.status) {
    case "idle":
      return "";
    case "starting":
      return donor.task ? taskName(words, donor.task) : (islandLine(words, donor) ?? words.donor.starting);
    case "donating":
      if (islandLine(words, donor) !== null) return stateLine(words, donor);
      return donor.hostConnected || donor.phase === null ? words.donor.donating : words.donor.donatingAlone;
    default:
      return stateLine(words, donor);
  }
}

export function runPhaseLine({ states }: Words, { state, phase, peersAwaited }: RunDetail): string {
  if (state === "paused") return states.pausedByHost;
  return peersAwaited > 1 ? states.peersAwaited(peersAwaited) : states.phase[phase];
}
