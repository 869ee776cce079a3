// What a step of an island takes, predicted: from what its members compute and what their lines do. The host chooses how a model is shared by it [R54]; benches set it
// beside what they measure. Apart from the schemas, for the engine.
//
//   model, sequences -> StepShape -> tensorStepMs, of all-reduces | pipelineStepMs, of stages and hops
import { BYTES_PER_NUMBER, type Exchange, type Form, type IslandPlan } from "./islands.ts";
import type { ModelShape } from "./spec.ts";

/** What a line does to a message: it leaves when those before it have left, `bytes / bytesPerSecond` later, and arrives `latencyMs` after that. */
export interface LineShape {
  readonly latencyMs: number;
  readonly bytesPerSecond: number;
}

/** Among members whose lines are like this. */
export interface AllReduceLines {
  readonly ranks: number;
  /** One way. */
  readonly latencyMs: number;
  /** Of the slowest member, up. */
  readonly bytesPerSecond: number;
  /** Of rank 0 in a star, up. */
  readonly hubBytesPerSecond: number;
  /** Of one member's partial sum, as it crosses. */
  readonly bytes: number;
}

/**
 * Predicted milliseconds of one all-reduce of S bytes among P members, in each form. On home lines the latency weighs most (Li et al. 2024, TPI-LLM).
 *
 *   direct          lat + (P−1)·S/up                     everybody to everybody
 *   reduce-scatter  2·lat + 2·(P−1)/P·S/up               to who sums those rows, and back
 *   star            2·lat + S/up + (P−1)·S/hubUp         to rank 0, and back
 */
export function allReduceMs({
  ranks,
  latencyMs,
  bytesPerSecond,
  hubBytesPerSecond,
  bytes,
}: AllReduceLines): Record<Form, number> {
  const partMs = (1_000 * bytes) / bytesPerSecond;
  const hubMs = (1_000 * bytes) / hubBytesPerSecond;
  return {
    direct: latencyMs + (ranks - 1) * partMs,
    "reduce-scatter": 2 * latencyMs + ((2 * (ranks - 1)) / ranks) * partMs,
    star: 2 * latencyMs + partMs + (ranks - 1) * hubMs,
  };
}

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

interface Layers extends Pick<ModelShape, "layers" | "residual"> {
  readonly recomputedLayers: number;
}

/** Forward two a layer, and as many backward; a layer that is computed again exchanges its first sum once more, unless its second block does not read it. */
export const exchangesOf = ({ layers, recomputedLayers, residual }: Layers): number =>
  4 * layers + (residual ? 0 : recomputedLayers);

/** Of a microbatch's exchanges with a ladder residual: the last one forward and the last one backward, behind which no block is left to compute. */
const NOT_LATE = 2;

interface PairShape extends Pick<ModelShape, "residual"> {
  readonly computeMs: number;
  readonly exchanges: number;
  readonly eachMs: number;
}

/**
 * Milliseconds for a pair of microbatches, of which each computes `computeMs` in all. One at a time every exchange is waited for. In turns a segment of one
 * hides the exchange of the other: a pair of segments takes two segments, or one and the exchange where that is longer. With a ladder residual the next
 * segment is computed too before a sum is waited for: two follow each other in the time of one and an exchange.
 */
export function pairMs({ computeMs, exchanges, eachMs, residual }: PairShape, inTurns: boolean): number {
  const segmentMs = computeMs / (exchanges + 1);
  const [turns, inFlight] = inTurns ? [1, 2] : [2, 1];
  const turnMs = (segments: 1 | 2): number => Math.max(inFlight * segmentMs, (segmentMs + eachMs) / segments);
  const late = residual ? Math.max(0, exchanges - NOT_LATE) : 0;
  return turns * (inFlight * segmentMs + late * turnMs(2) + (exchanges - late) * turnMs(1));
}

/** FLOP of one sequence, forward, in matrix products: the linear ones of a layer, its causal attention (half of the T·T pairs and the diagonal), the logits. */
export function forwardFlops({ dModel: C, dFfn: F, heads, kvHeads, vocabSize: V, contextLength: T }: ModelShape) {
  const weightsPerLayer = C * (C + (2 * kvHeads * C) / heads) + C * C + 3 * C * F;
  return { layerLinear: 2 * T * weightsPerLayer, layerAttention: 2 * T * (T + 1) * C, head: 2 * T * V * C };
}

/** What members share of a step. What is computed again, norms and the update count nothing. */
export interface StepShape extends Pick<ModelShape, "residual"> {
  readonly microbatches: number;
  readonly layers: number;
  /** FLOP of a microbatch, forward and backward. */
  readonly layerFlops: number;
  readonly headFlops: number;
  /** Activations of a microbatch, N·C. */
  readonly numbers: number;
}

export function stepShapeOf(model: ModelShape, sequences: number, microbatch: number): StepShape {
  const { layerLinear, layerAttention, head } = forwardFlops(model);
  return {
    microbatches: Math.ceil(sequences / microbatch),
    layers: model.layers,
    residual: model.residual,
    layerFlops: 3 * microbatch * (layerLinear + layerAttention), // backward is twice forward
    headFlops: 3 * microbatch * head,
    numbers: microbatch * model.contextLength * model.dModel,
  };
}

/**
 * Sequences at once with which an island begins, where they fit: two microbatches for members that take turns (rank.ts), four a stage, at which a pipeline's bubble is small
 * (Huang et al. 2019, GPipe). They divide the step's, so that none is left out.
 */
export function sequencesAtOnce(windowsPerStep: number, kind: IslandPlan["kind"], ranks: number): number {
  const microbatches = { tensor: 2, pipeline: 4 * ranks, sequence: 1 }[kind];
  let sequences = Math.max(1, Math.floor(windowsPerStep / microbatches));
  while (windowsPerStep % sequences > 0) sequences--;
  return sequences;
}

/** A step's milliseconds on one machine, if it held the model. */
export const aloneStepMs = (
  { microbatches, layers, layerFlops, headFlops }: StepShape,
  flopsPerSecond: number,
): number => (1_000 * microbatches * (layers * layerFlops + headFlops)) / flopsPerSecond;

/** Of a tensor plan: equal parts of the layers, at the pace of the slowest member; everybody computes the head. @param eachMs of one all-reduce */
export function tensorStepMs(step: StepShape, ranks: number, flopsPerSecond: number, eachMs: number): number {
  const { microbatches, layers, layerFlops, headFlops, residual } = step;
  const computeMs = (1_000 * ((layers * layerFlops) / ranks + headFlops)) / flopsPerSecond;
  const given = { computeMs, exchanges: exchangesOf({ layers, recomputedLayers: 0, residual }), eachMs, residual };
  return Math.floor(microbatches / 2) * pairMs(given, true) + ((microbatches % 2) * pairMs(given, false)) / 2;
}

/** Between two stages that follow each other: how long activations take to leave the first, their gradients the second, and one way. */
export interface Hop {
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly latencyMs: number;
}

/**
 * Of a pipeline (1F1B), from what each stage computes of a microbatch, forward and backward: the first one goes through all stages and back, the others follow at the pace of whatever is
 * slowest: a stage, what one sends, or the round from a stage to the last one and back, in which no more microbatches are under way than there are stages on it.
 *
 *   Σ compute + Σ hops there and back + (microbatches − 1) · max(computeᵢ, sendᵢ, roundᵢ / (P − i))
 */
export function pipelineStepMs(computeMs: readonly number[], hops: readonly Hop[], microbatches: number): number {
  const stages = computeMs.length;
  let [roundMs, turnMs] = [0, 0];
  for (let i = stages - 1; i >= 0; i--) {
    const next = hops[i];
    roundMs += computeMs[i] + (next === undefined ? 0 : next.forwardMs + next.backwardMs + 2 * next.latencyMs);
    const sendMs = (next?.forwardMs ?? 0) + (hops[i - 1]?.backwardMs ?? 0);
    turnMs = Math.max(turnMs, computeMs[i], sendMs, roundMs / (stages - i));
  }
  return roundMs + (microbatches - 1) * turnMs;
}
