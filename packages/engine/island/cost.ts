// What a step of an island takes, predicted: from what its segments compute and what a line does.
import type { Exchange, Form } from "#wire/islands";
import type { LineShape } from "./port.ts";

/** int8 blocks of 64 with a scale, or f32. */
const BYTES_PER_NUMBER = { int8: 1 + 4 / 64, f32: 4 } as const satisfies Record<Exchange, number>;

/** Milliseconds of one all-reduce over equal lines; the two-step forms take two latencies. On home lines the latency weighs most (Li et al. 2024, TPI-LLM). */
export function exchangeMs(
  {
    ranks,
    numbers,
    exchange,
    form,
  }: { readonly ranks: number; readonly numbers: number; readonly exchange: Exchange; readonly form: Form },
  { latencyMs, bytesPerSecond }: LineShape,
): number {
  const sumMs = (1000 * numbers * BYTES_PER_NUMBER[exchange]) / bytesPerSecond;
  if (form === "direct") return latencyMs + (ranks - 1) * sumMs;
  if (form === "reduce-scatter") return 2 * latencyMs + ((2 * (ranks - 1)) / ranks) * sumMs;
  return 2 * latencyMs + ranks * sumMs; // a part in, (ranks - 1) sums out through the middle's one line
}

/** Forward two a layer, and as many backward; a layer that is computed again exchanges its first sum once more. */
export const exchangesOf = ({
  layers,
  recomputedLayers,
}: {
  readonly layers: number;
  readonly recomputedLayers: number;
}): number => 4 * layers + recomputedLayers;

/**
 * Milliseconds for a pair of microbatches, of which each computes `computeMs` in all. One at a time every exchange is waited for. In turns a segment of one
 * hides the exchange of the other: a pair of segments takes two segments, or one and the exchange where that is longer.
 */
export function pairMs(
  { computeMs, exchanges, eachMs }: { readonly computeMs: number; readonly exchanges: number; readonly eachMs: number },
  inTurns: boolean,
): number {
  if (!inTurns) return 2 * (computeMs + exchanges * eachMs);
  const segmentMs = computeMs / (exchanges + 1);
  return 2 * segmentMs + exchanges * Math.max(2 * segmentMs, segmentMs + eachMs);
}
