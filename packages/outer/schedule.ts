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

/** An update counts its tokens in 32 bits. */
const UPDATE_TOKENS_MAX = 0xffff_ffff;
/** Where communication comes late, this part of a run is its end. */
const LATE_PART = 0.1;

/**
 * Inner steps of a round, at most what is left of the run, or of its part:
 *
 *   absent         steps
 *   growth         max(steps, ⌊(growth / rate)²⌋)             rate: at the round's start, without the warm-up, during which rounds stay short. QSR: Gu et al., 2024,
 *                                                             arXiv:2310.14423
 *   lateExchanges  steps · 0.9 / (1 − lateExchanges), and steps · 0.1 / lateExchanges in the last tenth: as many exchanges as with `steps`, that part of them there
 */
export function stepsAt(spec: Pick<RunSpec, "inner" | "model" | "end">, opened: OpenedAt | undefined): number {
  const { steps, growth, lateExchanges } = spec.inner;
  if (growth === undefined && lateExchanges === undefined) return steps;
  assert(opened !== undefined, "rounds whose length varies are as long as their open says");
  const { tokensBefore, rosterSize } = opened;
  const tokensMax = spec.end.tokensMax ?? Number.POSITIVE_INFINITY;
  const lateFrom = (1 - LATE_PART) * tokensMax;
  const isEarly = lateExchanges !== undefined && tokensBefore < lateFrom;
  const tokensLeft = (isEarly ? lateFrom : tokensMax) - tokensBefore;
  const ratio = (growth ?? 0) / decayedRate(spec, tokensBefore);
  const wished =
    lateExchanges === undefined
      ? Math.max(steps, Math.floor(ratio * ratio))
      : Math.round((steps * (isEarly ? 1 - LATE_PART : LATE_PART)) / (isEarly ? 1 - lateExchanges : lateExchanges));
  const most = Math.floor(UPDATE_TOKENS_MAX / tokensPerStepOf(spec, 1));
  return Math.max(1, Math.min(wished, most, Math.ceil(tokensLeft / tokensPerStepOf(spec, rosterSize))));
}
