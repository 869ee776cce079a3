// The learning rate of an inner step: a function of tokens committed before the round (from the log) and of the step in it, never of
// steps since joining, so that every peer of a round descends at the same rate.
//
//   rate |      ________
//        |    /          \        warm-up over warmupTokens, stable, linear decay over the last decayTokens before end.tokensMax
//        |  /              \___   learningRateMin
//        +------------------------ tokens
import type { RunSpec } from "#wire";

/** What the schedule asks of a round's `open`. */
export interface OpenedAt {
  readonly tokensBefore: number;
  readonly rosterSize: number;
}

/**
 * @param tokensBefore tokens committed before the round
 * @param innerStep 0 for the first step of the round
 * @param rosterSize peers in the round; all are taken to read at full speed
 */
export function learningRateAt(
  spec: Pick<RunSpec, "inner" | "model" | "end">,
  tokensBefore: number,
  innerStep: number,
  rosterSize: number,
): number {
  const { learningRate, learningRateMin, warmupTokens, decayTokens, windowsPerStep } = spec.inner;
  const tokensPerStep = rosterSize * windowsPerStep * spec.model.contextLength;
  const tokens = tokensBefore + innerStep * tokensPerStep;
  // The step's own tokens count for the warm-up: the first step has a small rate, not 0.
  const warmup = warmupTokens > 0 ? Math.min(1, (tokens + tokensPerStep) / warmupTokens) : 1;
  const { tokensMax } = spec.end;
  const left =
    tokensMax !== undefined && decayTokens > 0 ? Math.min(1, Math.max(0, (tokensMax - tokens) / decayTokens)) : 1;
  return warmup * (learningRate * left + learningRateMin * (1 - left));
}
