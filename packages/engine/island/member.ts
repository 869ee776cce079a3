// A member that is not the leader: has its part of the model on its device, and does what the leader says.
import type { RankShape } from "#outer";
import type { ModelShape } from "#wire";
import type { IslandPlan, PipelinePlan, TensorPlan } from "#wire/islands";
import type { OpenColdStore } from "../cold-moments.ts";
import { createWebGpuEngine } from "../create-webgpu.ts";
import type { EngineOptions } from "../engine.ts";
import { GpuError } from "../errors.ts";
import { type ModelPlan, planModel } from "../model/planner.ts";
import type { WebGpuEngine } from "../webgpu-engine.ts";
import { shardsOf } from "./all-reduce.ts";
import { type ExchangeTotals, Lanes, NO_EXCHANGES } from "./lanes.ts";
import { idsOf, type Order, orderFrom, pack, unpack } from "./orders.ts";
import { rankShape, sharesOf } from "./parts.ts";
import { CHAINS, planSequence, planStage, stageCut } from "./planner.ts";
import type { IslandLostError, IslandPort, Lane } from "./port.ts";
import { createSequenceEngine, type SequenceEngine } from "./sequence-engine.ts";
import { stageShape } from "./stages.ts";

/** A member's part: of the model, or of each sequence. */
export type RankEngine = WebGpuEngine | SequenceEngine;

/** The leader's word, lane 0. */
export const ORDERS_LANE = 0;

export interface IslandOptions extends Pick<EngineOptions, "adapter" | "defaultLimits" | "memoryBytes" | "moments"> {
  /** Where this member's moments may lie outside of its device: there, if its part does not fit otherwise with one sequence at once. */
  readonly cold?: OpenColdStore | undefined;
  /** The whole one. */
  readonly model: ModelShape;
  readonly plan: IslandPlan;
}

/** How much of the time a member trains. */
export interface Pace {
  /** Before each step; resolves when it may begin. */
  rest(): Promise<void>;
  /** A step ended just now, and took so long. */
  worked(ms: number): void;
}

export interface Served {
  /** Resolves when the island is over, with the reason. Never rejects. */
  readonly finished: Promise<string>;
  /** Of this member's exchanges so far. */
  readonly totals: ExchangeTotals;
  readonly allocatedBytes: number;
  /** As Engine's. */
  readonly coldBytes: number;
  destroy(reason: string): void;
}

/**
 * Resolves when this member's part stands. Rejects as createEngine does, or with IslandLostError; the island is over then.
 * @param pace all members wait for who rests
 */
export async function serveIsland(options: IslandOptions, port: IslandPort, pace?: Pace): Promise<Served> {
  const lanes = new Lanes(port);
  const lane = lanes.lane(ORDERS_LANE);
  const serving = await openPart(options, lanes, lane).catch((error: unknown) => {
    port.end(`member ${port.rank} could not take its part: ${messageOf(error)}`);
    throw error;
  });
  void serving.lost.then(({ message, reason }) => port.end(`member ${port.rank} lost its GPU: ${message || reason}`));
  const finished = serve(serving, lane, pace && untilLost(pace, lanes.lost))
    .catch((error: unknown) => {
      port.end(`member ${port.rank}: ${messageOf(error)}`);
      return messageOf(error);
    })
    .finally(() => serving.destroy());
  return {
    finished,
    get totals() {
      return serving.rank?.totals ?? NO_EXCHANGES;
    },
    allocatedBytes: serving.allocatedBytes,
    coldBytes: serving.coldBytes,
    destroy: (reason) => {
      port.end(reason);
      serving.destroy();
    },
  };
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const shapeOf = (
  model: ModelShape,
  plan: TensorPlan | PipelinePlan,
  { rank, ranks }: Pick<Lane, "rank" | "ranks">,
): RankShape =>
  plan.kind === "pipeline" ? stageShape(model, plan, rank) : rankShape(model, sharesOf(model, ranks)[rank]);

/** This rank's part on paper, with so many sequences at once. */
export function planPart(options: IslandOptions, { rank, ranks }: Lane, microbatch: number): ModelPlan {
  const { model, plan, memoryBytes, moments } = options;
  const cold = options.cold && microbatch === 1 ? ("if-needed" as const) : false;
  const given = { microbatch, memoryBytes, moments, cold, limits: options.adapter?.limits };
  if (plan.kind === "sequence") return planSequence({ ...given, model }, { ranks, rank });
  if (plan.kind === "pipeline")
    return planStage({ ...given, model }, plan.exchange, { layers: plan.layers[rank], rank, ranks });
  const island = { exchange: plan.exchange, shards: shardsOf(plan, ranks), chains: CHAINS } as const;
  return planModel({ ...given, model: shapeOf(model, plan, { rank, ranks }), island });
}

async function openPart(options: IslandOptions, lanes: Lanes, lane: Lane): Promise<RankEngine> {
  for (;;) {
    const order = orderFrom(unpack(await lane.receive(0)).header);
    if (order.op === "plan") {
      const { recomputedLayers, problem } = planPart(options, lane, order.microbatch);
      lane.send(0, pack(problem === undefined ? { recomputedLayers } : { problem }));
      continue;
    }
    if (order.op !== "open") throw new RangeError(`the leader ordered "${order.op}" before "open"`);
    const engine = await openRank(options, lanes, lane, order);
    lane.send(0, pack({ opened: true }));
    return engine;
  }
}

/** Rejects with GpuError too where a kernel computes wrongly here. */
export async function openRank(
  options: IslandOptions,
  lanes: Lanes,
  lane: Lane,
  { microbatch, recomputedLayers: everybodys }: Extract<Order, { op: "open" }>,
): Promise<RankEngine> {
  const { plan, model, ...given } = options;
  const { rank, ranks } = lane;
  const planned = planPart(options, lane, microbatch);
  // Whose sums are exchanged recompute the same layers; stages have layers of their own.
  const recomputedLayers = plan.kind === "pipeline" ? planned.recomputedLayers : everybodys;
  const cold = planned.coldBytes > 0 ? options.cold : undefined;
  const own = { ...given, cold, microbatch, recomputedLayers };
  const engine =
    plan.kind === "sequence"
      ? await createSequenceEngine({ ...own, model }, lanes)
      : await createWebGpuEngine(
          { ...own, model: shapeOf(model, plan, { rank, ranks }) },
          {},
          plan.kind === "pipeline"
            ? { lanes, stage: stageCut(plan.exchange, { rank, ranks }) }
            : { lanes, reduce: plan, ranks, chains: CHAINS },
        );
  const { failed } = await engine.conformance();
  if (failed.length === 0) return engine;
  engine.destroy();
  throw new GpuError(`${failed.length} kernels compute wrongly on its GPU`);
}

/** Nobody rests longer than the island stands. */
function untilLost(pace: Pace, lost: Promise<IslandLostError>): Pace {
  const ended = lost.then((error): never => {
    throw error;
  });
  ended.catch(() => {}); // told where it is waited for
  return { rest: () => Promise.race([pace.rest(), ended]), worked: (ms) => pace.worked(ms) };
}

/** Until the port ends: then it rejects. */
async function serve(engine: RankEngine, lane: Lane, pace?: Pace): Promise<never> {
  for (;;) {
    const { header, payload } = unpack(await lane.receive(0));
    const order = orderFrom(header);
    switch (order.op) {
      case "load":
        engine.load(new Float32Array(payload.buffer));
        break;
      case "reset-moments":
        engine.resetMoments();
        break;
      case "step": {
        await pace?.rest();
        const begunAt = performance.now();
        await engine.step(idsOf(payload, order.width), order.options);
        pace?.worked(performance.now() - begunAt);
        break;
      }
      case "evaluate":
        await engine.evaluate(idsOf(payload, order.width));
        break;
      case "gradient": {
        const { gradient } = await engine.gradient(idsOf(payload, order.width));
        lane.send(0, pack({ part: true }, new Uint8Array(gradient.slice().buffer)));
        break;
      }
      case "read":
        lane.send(0, pack({ part: true }, new Uint8Array((await engine.read()).slice().buffer)));
        break;
      default:
        throw new RangeError(`the leader ordered "${order.op}" once more`);
    }
  }
}
