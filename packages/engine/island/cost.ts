// What a step of an island takes, predicted: from what its segments compute and what a line does.
import { allReduceMs, BYTES_PER_NUMBER, type Exchange, type Form } from "#wire/islands";
import type { LineShape } from "./port.ts";

/** Milliseconds of one all-reduce over equal lines. */
export function exchangeMs(
  {
    ranks,
    numbers,
    exchange,
    form,
  }: { readonly ranks: number; readonly numbers: number; readonly exchange: Exchange; readonly form: Form },
  { latencyMs, bytesPerSecond }: LineShape,
): number {
  const bytes = numbers * BYTES_PER_NUMBER[exchange];
  return allReduceMs({ ranks, latencyMs, bytesPerSecond, hubBytesPerSecond: bytesPerSecond, bytes })[form];
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

/** One machine's speed, and what a step is made of. */
export interface StepShape {
  /** FLOP of a microbatch, forward and backward; of it those of the layers, which members share. */
  readonly flops: number;
  readonly layersFlops: number;
  readonly flopsPerSecond: number;
  /** Of a step, an even number of them. */
  readonly microbatches: number;
  readonly layers: number;
  /** Activations of a microbatch, N·C. */
  readonly numbers: number;
}

/** A step's milliseconds on one machine, if it held the model. */
export const aloneStepMs = ({ flops, flopsPerSecond, microbatches }: StepShape): number =>
  (1000 * microbatches * flops) / flopsPerSecond;

/** Of a tensor plan in int8, each member sending to all: everybody computes the head. */
export function tensorStepMs(step: StepShape, ranks: number, line: LineShape): number {
  const { flops, layersFlops, flopsPerSecond, microbatches, layers, numbers } = step;
  const computeMs = (1000 * (layersFlops / ranks + flops - layersFlops)) / flopsPerSecond;
  const eachMs = exchangeMs({ ranks, numbers, exchange: "int8", form: "direct" }, line);
  const exchanges = exchangesOf({ layers, recomputedLayers: 0 });
  return (microbatches / 2) * pairMs({ computeMs, exchanges, eachMs }, true);
}

/**
 * Of a pipeline of equal stages in int8: microbatches follow each other as fast as the slowest of computing and sending lets them, each way; the first one fills the
 * stages (Huang et al. 2019, GPipe: a bubble of stages − 1 microbatches).
 */
export function pipelineStepMs(step: StepShape, stages: number, line: LineShape): number {
  const computeMs = (1000 * step.flops) / stages / step.flopsPerSecond;
  const sendMs = (1000 * step.numbers * BYTES_PER_NUMBER.int8) / line.bytesPerSecond;
  const turnMs = Math.max(computeMs, 2 * sendMs); // a turn is forward and backward: activations on, a gradient back
  return (step.microbatches + stages - 1) * turnMs + 2 * (stages - 1) * line.latencyMs;
}
