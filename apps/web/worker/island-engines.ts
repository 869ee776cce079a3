// Islands on this machine's GPU: among how many a model fits, and the engines of who leads and of who serves.
import { fewestRanks, leadIsland, serveIsland, sharesOf } from "#engine";
import type { IslandPlan, RunSpec } from "#wire";
import type { TestPlan } from "../views/places.ts";
import type { IslandPart } from "../window/types.ts";
import type { EngineWish } from "./gpu.ts";
import type { IslandEngines } from "./islands.ts";

/** Each adapter gives one device only. */
const anAdapter = async (): Promise<GPUAdapter | undefined> => (await navigator.gpu.requestAdapter()) ?? undefined;

async function optionsOf({ spec: { model }, memoryBytes }: EngineWish) {
  const adapter = await anAdapter();
  return { model, ...(adapter ? { adapter } : {}), ...(memoryBytes === undefined ? {} : { memoryBytes }) };
}

export const islandEngines: IslandEngines = {
  async ranksNeeded(wish) {
    const { spec, memoryBytes } = wish;
    if (spec.lora) return undefined; // a rank trains all of its part
    const limits = (await anAdapter())?.limits;
    const ranks = fewestRanks({ model: spec.model, microbatch: 1, limits, memoryBytes });
    return ranks && Math.max(2, ranks);
  },
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
    const options = { ...(await optionsOf(wish)), plan, microbatch: wish.spec.inner.windowsPerStep };
    const engine = await leadIsland(options, port);
    return { engine, totals: () => engine.exchangeTotals };
  },
  serve: async (wish, plan, port) => serveIsland({ ...(await optionsOf(wish)), plan }, port),
};

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
