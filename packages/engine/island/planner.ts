// What a part of a model takes, and among how many members the model fits. Pure, like model/planner.ts.
import type { ModelShape } from "#wire";
import { type Exchange, islandKindOf, RANKS_MAX, sharesAmong } from "#wire/islands";
import type { SequenceCut, StageCut } from "../model/buffers.ts";
import { type ModelPlan, type PlanOptions, planModel, smallest } from "../model/planner.ts";
import { shardsOf } from "./all-reduce.ts";
import { rankShape, sharesOf } from "./parts.ts";
import { slotsOf } from "./schedule.ts";
import { type StagePlace, stageOf } from "./stages.ts";
import { rowsOfRank } from "./zig-zag.ts";

/** Each member computes one microbatch while the sums of another one cross. */
export const CHAINS = 2;

export interface IslandPlanOptions
  extends Omit<PlanOptions, "model" | "island" | "keepsMark" | "codec" | "lora" | "precision"> {
  readonly model: ModelShape;
  readonly ranks: number;
}

/** Of the member that needs most, shared as islands of the run share it; partial sums in int8. @throws RangeError where so many cannot share it */
export function planIsland({ ranks, ...options }: IslandPlanOptions): ModelPlan {
  const island = { exchange: "int8", shards: shardsOf({ form: "direct" }, ranks), chains: CHAINS } as const;
  const plans =
    islandKindOf(options.model) === "sequence"
      ? Array.from({ length: ranks }, (_, rank) => planSequence(options, { ranks, rank }))
      : sharesOf(options.model, ranks).map((share) =>
          planModel({ ...options, model: rankShape(options.model, share), island }),
        );
  return plans.reduce((most, plan) => (plan.totalBytes > most.totalBytes ? plan : most));
}

/** Of a rank that holds a part of each sequence. @throws RangeError where the context cannot be cut among so many */
export const planSequence = ({ model, ...options }: PlanOptions, sequence: SequenceCut): ModelPlan =>
  planModel({
    ...options,
    model: { ...model, contextLength: rowsOfRank(model.contextLength, sequence.ranks) },
    sequence,
  });

/** Which stage it is, and how many microbatches it holds at once. */
export const stageCut = (exchange: Exchange, { rank, ranks }: Omit<StagePlace, "layers">): StageCut => ({
  ...{ exchange, rank, ranks },
  slots: slotsOf(rank, ranks),
});

/** Of a stage of a pipeline, with the fewest of its own layers recomputed. */
export const planStage = (
  options: Omit<IslandPlanOptions, "ranks">,
  exchange: Exchange,
  place: StagePlace,
): ModelPlan => planModel({ ...options, model: stageOf(options.model, place), stage: stageCut(exchange, place) });

/** Most layers that fit as a stage, activations in int8; of two members, three and four, by rank; 0: not even one, there are fewer layers than members, or such a model has no stages (stages.ts). */
export function stageLayersMax(options: Omit<IslandPlanOptions, "ranks">): number[][] {
  return Array.from({ length: RANKS_MAX - 1 }, (_, i) => {
    const ranks = i + 2;
    const most = options.model.residual ? 0 : Math.max(0, options.model.layers - (ranks - 1)); // each other one has a layer
    const fits = (layers: number, rank: number): boolean =>
      planStage(options, "int8", { layers, rank, ranks }).problem === undefined;
    return Array.from({ length: ranks }, (_, rank) => smallest(most, (layers) => !fits(layers + 1, rank)));
  });
}

/** The fewest members among which it fits, 1: it needs no others; undefined: not among RANKS_MAX of them. */
export function fewestRanks(options: Omit<IslandPlanOptions, "ranks">): number | undefined {
  if (planModel(options).problem === undefined) return 1;
  for (let ranks = 2; ranks <= Math.min(RANKS_MAX, options.model.dFfn / 4); ranks++)
    if (sharesAmong(options.model, ranks) && planIsland({ ...options, ranks }).problem === undefined) return ranks;
  return undefined;
}
