// Islands: two to four tabs that hold one model among them, and are one peer to the swarm. How they share it; the messages are in messages.ts.
// Apart from the schemas, for the engine.
//
//   seek-island -> the host chooses who suits whom -> island (to every member) -> the leader is a peer, the others serve it
import type { ModelShape } from "./spec.ts";

/** An all-reduce's numbers as they cross: exact, or a quarter of the bytes. */
export type Exchange = "f32" | "int8";

/**
 * direct: everybody sends its partial sum to everybody, one latency. reduce-scatter: each sums a part of the rows and gives the sum to all, two
 * latencies and fewer bytes from three members on. star: rank 0 sums, for who has the one fast line.
 */
export type Form = "direct" | "reduce-scatter" | "star";

export interface TensorPlan {
  readonly kind: "tensor";
  readonly exchange: Exchange;
  readonly form: Form;
}

export interface PipelinePlan {
  readonly kind: "pipeline";
  /** Layers of each stage, by rank; the first has the embedding, the last one the head. */
  readonly layers: readonly number[];
  readonly exchange: Exchange;
}

/** Everybody has all weights, and a part of the positions of each sequence: for contexts that nobody holds alone. Twice the members must divide the context. */
export interface SequencePlan {
  readonly kind: "sequence";
}

export type IslandPlan = TensorPlan | PipelinePlan | SequencePlan;

/** More only wait for each other: each layer is exchanged twice, forward and backward. */
export const RANKS_MAX = 4;

/** What a member could take of the model, by its memory, and how fast it computes. */
export interface Capacity {
  /** The fewest among whom its part of cut matrices fits it; null: not among RANKS_MAX either. */
  readonly tensorRanksMin: number | null;
  /** Most layers that it holds as a stage, 0: none; of two members, of three and of four, by rank. The first stage has the embedding, the last one the head. */
  readonly stageLayersMax: readonly (readonly number[])[];
  /** Of matrix products as wide as the model's, f32; absent: they could not be timed. */
  readonly flopsPerSecond?: number | undefined;
}

/** Islands that an `open` lists, 350 bytes each: so many stand at once in a run. */
export const ISLANDS_MAX = 32;

/**
 * Why who seeks an island has none yet. too-few: fewer seek one than it needs. unlinked: enough do, but they have no direct links to one another. slow: they
 * have, but an answer takes too long on them. measuring: they have just come together. resting: theirs has just fallen apart, the next attempt comes in a while.
 * full: the run has as many as it may have. too-small: what they hold together is less than the model; told to who said what it holds.
 */
export const islandWaits = ["too-few", "unlinked", "slow", "measuring", "resting", "full", "too-small"] as const;
export type IslandWait = (typeof islandWaits)[number];

/**
 * How members share a model, the same for all who seek an island in a run, so that any of them suit each other. Cut matrices leave activations whole, of two microbatches: the residual
 * stream of each layer, and some seven more of its size. Shared sequences leave weights and gradient whole. So whichever leaves fewer numbers: GPT-2 small
 * is cut up to a context of 8,464, and shares longer ones.
 */
export function islandKindOf(model: ModelShape): "tensor" | "sequence" {
  const { contextLength, vocabSize, dModel, layers, heads, kvHeads, dFfn, tiedEmbedding } = model;
  const keys = (dModel / heads) * kvHeads;
  const ofLayer = (2 * dModel + 2 * keys + 3 * dFfn) * dModel;
  const weights = vocabSize * dModel * (tiedEmbedding ? 1 : 2) + layers * ofLayer;
  const activations = contextLength * dModel * (layers + 7);
  return contextLength % 4 === 0 && 2 * activations > 2 * weights ? "sequence" : "tensor";
}

/** Whether so many can share it: of each sequence every member takes two chunks of equal length. */
export const sharesAmong = (model: ModelShape, ranks: number): boolean =>
  islandKindOf(model) === "tensor" || model.contextLength % (2 * ranks) === 0;

/**
 * How attention crosses between members that share sequences, and the numbers that a member sends in a layer for each position that it has, forward and
 * backward. Of each position queries are as wide as the model (C), keys and values K.
 *
 *   keys     its keys and values to who sees them, three quarters on average; backward once more, and their gradients back: 3 · 3/4 · (P − 1) · 2K
 *   heads    all but its own heads' queries, keys and values, and what was attended comes back; gradients likewise: 2 · (P − 1) / P · (2C + 2K)
 *
 * Heads cross before anything is attended, keys beside a member's own: so heads have to be two thirds at most. It takes as many heads of keys for each member.
 */
export function sequenceExchange(
  { dModel, heads, kvHeads }: Pick<ModelShape, "dModel" | "heads" | "kvHeads">,
  ranks: number,
): { readonly by: "keys" | "heads"; readonly numbers: number } {
  const keys = (dModel / heads) * kvHeads;
  const byKeys = 3 * (3 / 4) * (ranks - 1) * 2 * keys;
  const byHeads = 2 * ((ranks - 1) / ranks) * 2 * (dModel + keys);
  return kvHeads % ranks === 0 && byHeads <= (2 / 3) * byKeys
    ? { by: "heads", numbers: byHeads }
    : { by: "keys", numbers: byKeys };
}

/** As they cross: int8 codes with an f32 scale for each 64, or f32. */
export const BYTES_PER_NUMBER = { int8: 1 + 4 / 64, f32: 4 } as const satisfies Record<Exchange, number>;
