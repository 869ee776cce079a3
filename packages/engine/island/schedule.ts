// 1F1B: in which order a stage takes its microbatches. (Narayanan et al. 2019, PipeDream; here with one update a step.)
//
//   stage 0   F0 F1 F2 B0 F3 B1 … B3       a stage has begun and not ended as many as there are stages from it on, however many a step has
//   stage 1      F0 F1 B0 F2 B1 …
//   stage 2         F0 B0 F1 B1 …
export interface Turn {
  readonly pass: "forward" | "backward";
  readonly microbatch: number;
}

/** Microbatches that a stage holds at once. */
export const slotsOf = (rank: number, ranks: number): number => ranks - rank;

export function scheduleOf(rank: number, ranks: number, microbatches: number): Turn[] {
  const ahead = Math.min(slotsOf(rank, ranks) - 1, microbatches);
  const turns: Turn[] = [];
  for (let m = 0; m < ahead; m++) turns.push({ pass: "forward", microbatch: m });
  for (let m = 0; m < microbatches; m++) {
    if (m + ahead < microbatches) turns.push({ pass: "forward", microbatch: m + ahead });
    turns.push({ pass: "backward", microbatch: m });
  }
  return turns;
}
