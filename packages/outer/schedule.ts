// The learning rate of an inner step, and how many a round has: functions of tokens committed before the round (from the log) and of the step in it, never of
// steps since joining, so that every peer of a round descends at the same rate.
//
//   rate |      ________
//        |    /          \        warm-up over warmupTokens, stable, linear decay over the last decayTokens before end.tokensMax
//        |  /              \___   learningRateMin
//        +------------------------ tokens
import type { RunSpec } from "#wire";
import { assert } from "./assert.ts";

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
  const { warmupTokens } = spec.inner;
  const tokensPerStep = tokensPerStepOf(spec, rosterSize);
  const tokens = tokensBefore + innerStep * tokensPerStep;
  // The step's own tokens count for the warm-up: the first step has a small rate, not 0.
  const warmup = warmupTokens > 0 ? Math.min(1, (tokens + tokensPerStep) / warmupTokens) : 1;
  return warmup * decayedRate(spec, tokens);
}

const tokensPerStepOf = ({ inner, model }: Pick<RunSpec, "inner" | "model">, rosterSize: number): number =>
  rosterSize * inner.windowsPerStep * model.contextLength;

/** As after the warm-up. */
function decayedRate({ inner, end }: Pick<RunSpec, "inner" | "end">, tokens: number): number {
  const { learningRate, learningRateMin, decayTokens } = inner;
  const { tokensMax } = end;
  const left =
    tokensMax !== undefined && decayTokens > 0 ? Math.min(1, Math.max(0, (tokensMax - tokens) / decayTokens)) : 1;
  return learningRate * left + learningRateMin * (1 - left);
}

/**
 * Inner steps of a round. With `growth`, by the quadratic synchronisation rule (Gu et al., 2024, arXiv:2310.14423):
 *
 *   max(steps, ⌊(growth / rate)²⌋)      rate: at the round's start, without the warm-up, during which rounds stay short; at most what the run has left
 */
export function stepsAt(spec: Pick<RunSpec, "inner" | "model" | "end">, opened: OpenedAt | undefined): number {
  const { steps, growth } = spec.inner;
  if (growth === undefined) return steps;
  assert(opened !== undefined, "rounds that grow are as long as their open says");
  const ratio = growth / decayedRate(spec, opened.tokensBefore);
  const grown = Math.max(steps, Math.floor(ratio * ratio));
  const { tokensMax } = spec.end;
  if (tokensMax === undefined) return grown;
  const left = Math.ceil((tokensMax - opened.tokensBefore) / tokensPerStepOf(spec, opened.rosterSize));
  return Math.max(1, Math.min(grown, left));
}
