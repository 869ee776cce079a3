// Which islands hold a model: what each member takes among two, three and four, and among how many it fits a limit.
import { type IslandPlanOptions, planIsland, planModel, stageLayersMax } from "#engine";
import { islandKindOf, type ModelShape, RANKS_MAX, sharesAmong } from "#wire";
import { english } from "../web/words/format.ts";

export interface IslandsOfModel {
  /** 1: it needs no others; null: it fits among none. */
  readonly ranksMin: number | null;
  /** Of the member that needs most, one sequence at once; where so many can share it. */
  readonly members: readonly { readonly ranks: number; readonly totalBytes: number; readonly fits: boolean }[];
  /** With a limit: the most layers of each stage, of two, three and four; where layers can be shared. */
  readonly stageLayersMax?: readonly (readonly number[])[];
}

/** One sequence at once, and with a limit as many layers recomputed as it takes. */
export function islandsOf(given: Omit<IslandPlanOptions, "ranks" | "microbatch">): IslandsOfModel {
  const options = { ...given, microbatch: 1 };
  const counts = Array.from({ length: RANKS_MAX - 1 }, (_, i) => i + 2).filter((ranks) => canShare(given.model, ranks));
  const members = counts.map((ranks) => {
    const { totalBytes, problem } = planIsland({ ...options, ranks });
    return { ranks, totalBytes, fits: problem === undefined };
  });
  const alone = planModel(options).problem === undefined;
  const ranksMin = alone ? 1 : (members.find(({ fits }) => fits)?.ranks ?? null);
  const hasStages = given.memoryBytes !== undefined && islandKindOf(given.model) === "tensor";
  return { ranksMin, members, ...(hasStages && { stageLayersMax: stageLayersMax(options) }) };
}

/** Feed-forward columns are cut in fours. */
const canShare = (model: ModelShape, ranks: number): boolean => ranks <= model.dFfn / 4 && sharesAmong(model, ranks);

export function islandsLine({ ranksMin, members }: IslandsOfModel, memoryBytes: number | undefined): string {
  const each = members.map(({ ranks, totalBytes }) => `${english.bytes(totalBytes)} among ${ranks}`).join(", ");
  if (memoryBytes === undefined) return `islands       a member takes ${each}, one sequence at once`;
  const limit = `in ${english.bytes(memoryBytes)} each`;
  const verdict =
    ranksMin === 1
      ? "not needed: it fits alone"
      : ranksMin === null
        ? `not at all, ${limit}`
        : `among ${ranksMin} tabs${ranksMin < RANKS_MAX ? " or more" : ""}, ${limit}`;
  return `islands       ${verdict}; a member takes ${each}`;
}

/** Undefined: without a limit any stages fit. */
export function stagesLine({ stageLayersMax }: IslandsOfModel, layers: number): string | undefined {
  if (stageLayersMax === undefined) return undefined;
  const holds = (most: readonly number[]): boolean =>
    most.every((count) => count > 0) && most.reduce((sum, count) => sum + count, 0) >= layers;
  const fewest = stageLayersMax.find(holds)?.length;
  const verdict =
    fewest === undefined ? "too few among equals, but a larger one may take the rest" : `enough among ${fewest}`;
  const each = stageLayersMax.map((most) => most.join(" + ")).join(", or ");
  return `stages        of ${layers} layers ${each} at most: ${verdict}`;
}
