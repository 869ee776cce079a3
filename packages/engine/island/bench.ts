// What tensor parallelism costs over lines of several kinds: an island whose members share this adapter, with lines in memory that are as slow as asked.
//
//   rounds of [ each line | one microbatch at a time, then two in turns ] -> median steps, beside what #wire/island-cost predicts from the step without a line
import type { ModelShape } from "#wire";
import { exchangeMs, exchangesOf, type LineShape, pairMs } from "#wire/island-cost";
import type { Exchange, Form } from "#wire/islands";
import { median } from "../bench.ts";
import { createWebGpuEngine } from "../create-webgpu.ts";
import type { StepOptions } from "../engine.ts";
import { prng, randomIds, randomParameters } from "../reference/testing.ts";
import type { WebGpuEngine } from "../webgpu-engine.ts";
import { Lanes } from "./lanes.ts";
import { partOf, rankShape, sharesOf } from "./parts.ts";
import { islandPorts } from "./port.ts";
import { Rank } from "./rank.ts";
import { type Overlap, overlapOf } from "./timeline.ts";

export interface IslandBenchOptions {
  readonly model: ModelShape;
  /** Sequences of each of the two microbatches of a step. */
  readonly microbatch: number;
  readonly ranks: number;
  readonly exchange: Exchange;
  readonly form: Form;
  readonly lines: readonly LineShape[];
  readonly rounds: number;
  readonly adapter?: GPUAdapter;
}

export interface IslandStep {
  readonly ms: number; //          median, two microbatches
  readonly predictedMs: number;
  /** Of the leader's exchanges in one step: the median step's. */
  readonly exchangeMs: number;
  readonly hiddenPart: number; //  0 to 1: while something was computed
}

export interface IslandMeasurement extends Omit<IslandBenchOptions, "lines" | "rounds" | "adapter"> {
  readonly adapter: string;
  readonly exchanges: number; //   of one microbatch
  readonly bytesEach: number; //   a rank's part of a sum
  /** Without lines: compute and hand over alone. */
  readonly bare: { readonly oneByOneMs: number; readonly inTurnsMs: number };
  readonly lines: readonly (LineShape & { readonly oneByOne: IslandStep; readonly inTurns: IslandStep })[];
}

const OPTIONS: StepOptions = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const NO_LINE: LineShape = { latencyMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY };

export async function measureIsland(options: IslandBenchOptions): Promise<IslandMeasurement> {
  const { lines, rounds, adapter: _, ...given } = options;
  const { model, microbatch, ranks, exchange, form } = given;
  const shape = { ...NO_LINE };
  const engines = await openIsland(options, shape);
  const random = prng(1);
  const batches = [1, 2].map(() => randomIds(random, microbatch * (model.contextLength + 1), model.vocabSize));
  const times = new Map<string, { ms: number; overlap: Overlap }[]>();
  const all = [NO_LINE, ...lines];
  for (let round = -1; round < rounds; round++)
    for (const [l, line] of all.entries())
      for (const inFlight of [1, 2]) {
        Object.assign(shape, line);
        for (const rank of ranksOf(engines)) rank.inFlight = inFlight;
        const started = performance.now();
        await Promise.all(engines.map((engine) => engine.step(batches, OPTIONS)));
        const ms = performance.now() - started;
        if (round < 0) continue; // compiles, and fills caches
        const key = `${l} ${inFlight}`;
        times.set(key, [...(times.get(key) ?? []), { ms, overlap: overlapOf(ranksOf(engines)[0].spans) }]);
      }
  const { adapter, recomputedLayers } = engines[0];
  const bytesEach = ranksOf(engines)[0].exchangedBytes;
  for (const engine of engines) engine.destroy();

  const msOf = (line: number, which: 1 | 2): number =>
    median((times.get(`${line} ${which}`) ?? []).map(({ ms }) => ms));
  const { layers, residual } = model;
  const exchanges = exchangesOf({ layers, recomputedLayers, residual });
  const numbers = microbatch * model.contextLength * model.dModel;
  const stepOf = (line: number, which: 1 | 2): IslandStep => {
    const eachMs = exchangeMs({ ranks, numbers, exchange, form }, all[line]);
    const overlaps = (times.get(`${line} ${which}`) ?? []).map(({ overlap }) => overlap);
    const predicted = pairMs({ computeMs: msOf(0, which) / 2, exchanges, eachMs, residual }, which === 2);
    return {
      ms: msOf(line, which),
      predictedMs: predicted,
      exchangeMs: median(overlaps.map((overlap) => overlap.exchangeMs)),
      hiddenPart: median(overlaps.map(({ exchangeMs, hiddenMs }) => hiddenMs / exchangeMs)),
    };
  };
  return {
    ...given,
    adapter: adapter.description || `${adapter.vendor} ${adapter.architecture}`,
    exchanges,
    bytesEach,
    bare: { oneByOneMs: msOf(0, 1), inTurnsMs: msOf(0, 2) },
    lines: lines.map((line, i) => ({ ...line, oneByOne: stepOf(i + 1, 1), inTurns: stepOf(i + 1, 2) })),
  };
}

const ranksOf = (engines: readonly WebGpuEngine[]): Rank[] =>
  engines.map(({ rank }) => rank).filter((rank): rank is Rank => rank instanceof Rank);

async function openIsland(
  { model, microbatch, ranks, exchange, form, ...given }: IslandBenchOptions,
  shape: LineShape,
): Promise<WebGpuEngine[]> {
  const flat = Float32Array.from(randomParameters(prng(2), model, 0.02));
  const shares = sharesOf(model, ranks);
  return Promise.all(
    islandPorts(ranks, shape).map(async (port, rank) => {
      const membership = { lanes: new Lanes(port), reduce: { exchange, form }, ranks, chains: 2 } as const;
      const own = {
        ...(given.adapter && { adapter: given.adapter }),
        model: rankShape(model, shares[rank]),
        microbatch,
      };
      const engine = await createWebGpuEngine(own, {}, membership);
      engine.load(partOf(model, shares[rank], flat));
      return engine;
    }),
  );
}
