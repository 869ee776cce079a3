// How the members of an island share one model.
import type { ModelShape } from "#wire";
import { ranksOf } from "#wire/islands";

export {
  type Exchange,
  type Form,
  type IslandPlan,
  type PipelinePlan,
  RANKS_MAX,
  ranksOf,
  type TensorPlan,
} from "#wire/islands";

/** A member's part of a model: whole heads and feed-forward columns. Embedding, head and norms are everybody's. */
export interface RankShape extends ModelShape {
  /** Where it is not dModel / heads. */
  readonly headSize?: number;
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
