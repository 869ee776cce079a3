// What "Try the model" shows, for tests: the host keeps four checkpoints, and one has written.
import type { CheckpointRow, Samples } from "#wire";
import { emptyTry, type TrySide, type TrySnapshot } from "../try/types.ts";

const checkpoint = (round: number): CheckpointRow => ({
  round,
  anchorHash: round.toString(16).padStart(64, "4"),
  time: 0,
  blobs: [{ name: "parameters", hash: "9".repeat(64), bytes: 7_276_560 }],
});

export const tried: TrySnapshot = {
  ...emptyTry,
  checkpoints: [40, 30, 20, 10].map(checkpoint),
  newest: checkpoint(42),
};

/** A checkpoint that has written. */
export const triedSide: TrySide = {
  round: 40,
  anchorHash: checkpoint(40).anchorHash,
  state: "done",
  bytes: 7_276_560,
  bytesTotal: 7_276_560,
  prompt: "⟦My fellow citizens, ⟧",
  text: "⟦the state of the union is as it was, and the Congress has been called to consider what it may become.⟧",
  tokens: 103,
  tokensPerSecond: 412.6,
  problem: null,
};

/** Three checkpoints of a run with two prompts. */
export const triedSamples: Samples = {
  prompts: ["⟦My fellow citizens, ⟧", "⟦The Congress ⟧"],
  samples: [10, 20, 40].map((round) => ({
    round,
    anchorHash: checkpoint(round).anchorHash,
    time: 0,
    texts: ["⟦the state of the union is as it was⟧", "⟦has been called to consider what it may become⟧"],
  })),
};
