// Islands on this machine's GPU: among how many a model fits, and the engines of who leads and of who serves.
import { fewestRanks, leadIsland, productSpeed, serveIsland, sharesOf, stageLayersMax } from "#engine";
import { type Capacity, type IslandPlan, islandKindOf, RANKS_MAX, type RunSpec, sequencesAtOnce } from "#wire";
import type { TestPlan } from "../views/places.ts";
import type { IslandPart } from "../window/types.ts";
import type { EngineWish } from "./gpu.ts";
import type { IslandEngines } from "./islands.ts";

/** Each adapter gives one device only. */
const anAdapter = async (): Promise<GPUAdapter | undefined> => (await navigator.gpu.requestAdapter()) ?? undefined;

async function optionsOf({ spec: { model }, memoryBytes, cold }: EngineWish) {
  const adapter = await anAdapter();
  return { model, cold, ...(adapter ? { adapter } : {}), ...(memoryBytes === undefined ? {} : { memoryBytes }) };
}

/** Of parts or stages whichever fits among fewer. */
async function needsOf(
  { spec: { model, lora }, memoryBytes, cold }: EngineWish,
  speedOf: typeof productSpeed | undefined,
): ReturnType<IslandEngines["needs"]> {
  if (lora) return undefined; // a rank trains all of its part
  const limits = (await anAdapter())?.limits;
  const given = { model, microbatch: 1, limits, memoryBytes, cold: cold && ("if-needed" as const) };
  const fewest = fewestRanks(given);
  const parts = fewest && Math.max(2, fewest);
  if (islandKindOf(model) === "sequence") return parts === undefined ? undefined : { ranksMin: parts };
  const layersMax = stageLayersMax(given);
  const stages = layersMax.find((most) => most.some((layers) => layers > 0))?.length;
  if (parts === undefined && stages === undefined) return undefined;
  const flopsPerSecond = await speedOf?.(model).catch(() => undefined); // then links alone decide
  const capacity: Capacity = {
    ...{ tensorRanksMin: parts ?? null, stageLayersMax: layersMax },
    ...(flopsPerSecond !== undefined && { flopsPerSecond }),
  };
  return { ranksMin: Math.min(parts ?? RANKS_MAX, stages ?? RANKS_MAX), capacity };
}

export const islandEngines: IslandEngines = {
  needs: (wish) => needsOf(wish, productSpeed),
  partOf({ spec: { model } }, plan, rank, ranks): IslandPart {
    if (plan.kind === "pipeline") {
      const first = plan.layers.slice(0, rank).reduce((sum, layers) => sum + layers, 1);
      return { kind: "layers", first, count: plan.layers[rank], of: model.layers };
    }
    if (plan.kind === "sequence") return { kind: "rows" };
    const { kvHeads, columns } = sharesOf(model, ranks)[rank];
    const group = model.heads / model.kvHeads;
    const heads = { first: group * kvHeads.first + 1, count: group * kvHeads.count, of: model.heads };
    return { kind: "heads", ...heads, columns: columns.count, ofColumns: model.dFfn };
  },
  async lead(wish, plan, port) {
    const microbatch = sequencesAtOnce(wish.spec.inner.windowsPerStep, plan.kind, port.ranks);
    const engine = await leadIsland({ ...(await optionsOf(wish)), plan, microbatch }, port);
    return { engine, totals: () => engine.exchangeTotals };
  },
  serve: async (wish, plan, port, pace) => serveIsland({ ...(await optionsOf(wish)), plan }, port, pace),
};

/** How fast it is is left out, where a test says how the model is shared: the host has no reason to say otherwise. */
export const untimedEngines: IslandEngines = { ...islandEngines, needs: (wish) => needsOf(wish, undefined) };

/** As the host says, unless a test build's address says otherwise. */
export function planFor(
  wish: TestPlan,
  { model }: Pick<RunSpec, "model">,
  given: IslandPlan,
  ranks: number,
): IslandPlan {
  if (wish === "exact" && given.kind !== "sequence") return { ...given, exchange: "f32" };
  if (wish !== "pipeline") return given;
  const until = (rank: number): number => Math.floor((rank * model.layers) / ranks);
  const layers = Array.from({ length: ranks }, (_, rank) => until(rank + 1) - until(rank));
  return { kind: "pipeline", layers, exchange: "int8" };
}
