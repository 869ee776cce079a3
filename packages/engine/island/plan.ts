// How the members of an island share one model.
import type { ModelShape } from "#wire";

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

export type IslandPlan = TensorPlan | PipelinePlan;

/** More only wait for each other: each layer is exchanged twice, forward and backward. */
export const RANKS_MAX = 4;

/** A member's part of a model: whole heads and feed-forward columns. Embedding, head and norms are everybody's. */
export interface RankShape extends ModelShape {
  /** Where it is not dModel / heads. */
  readonly headSize?: number;
}

/** Into how many equal parts heads and feed-forward columns can be cut; 1 is always there. */
export function ranksOf({ heads, kvHeads, dFfn }: ModelShape): number[] {
  const parts = Array.from({ length: RANKS_MAX }, (_, i) => i + 1);
  return parts.filter((ranks) => heads % ranks === 0 && kvHeads % ranks === 0 && dFfn % (4 * ranks) === 0);
}

/** @throws RangeError for a number of ranks that does not divide the model */
export function rankShape(model: ModelShape, ranks: number): RankShape {
  if (!ranksOf(model).includes(ranks))
    throw new RangeError(
      `this model can be cut among ${ranksOf(model).join(", ")} members, not ${ranks}: heads, key and value heads and feed-forward columns in fours must divide`,
    );
  const { heads, kvHeads, dFfn, dModel } = model;
  return { ...model, heads: heads / ranks, kvHeads: kvHeads / ranks, dFfn: dFfn / ranks, headSize: dModel / heads };
}
