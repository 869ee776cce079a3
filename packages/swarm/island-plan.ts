// How members would share the model of a run, and how long they would wait for each other in it.
//
// Cut matrices wait for an all-reduce (allReduceMs), shared sequences for keys or heads of others (sequenceExchange), stages of layers for one microbatch's activations: lat + S/up.
// Where everybody's speed is known the whole step is predicted, for both ways to cut a model, and the shorter one is taken.
import {
  type AllReduceLines,
  allReduceMs,
  BYTES_PER_NUMBER,
  type Form,
  type Hop,
  type IslandPlan,
  islandKindOf,
  type ModelShape,
  type PeerId,
  sequenceExchange,
  sequencesAtOnce,
  stepShapeOf,
  tensorStepMs,
} from "#wire";
import { bestOrder } from "./island-stages.ts";
import type { Seeker } from "./islands.ts";

/**
 * A step waits for a one-way trip 4 times a layer, where attention and feed-forward end, forward and backward: of 12 layers at 30 ms there and back 0.7 s, as long as a model computes that needs an island
 * (150 million parameters, 2,048 tokens, 2 TFLOP/s). Homes are further from each other, rooms and buildings are not.
 */
export const RTT_MAX_MS = 30;
/** What nobody measured is taken for a wireless LAN's 100 Mbit/s. */
const UNMEASURED_BYTES_PER_SECOND = 12.5e6;
/** And waits for the bytes as often: of 12 layers 5 s a step, of which half may hide behind the other microbatch. */
export const ALL_REDUCE_MAX_MS = 100;
/** A stage hands on one sequence while it computes the next one; with four of them under way and 2 s a hop a step takes a quarter of a minute. */
export const HOP_MAX_MS = 2_000;

/** A direct link that both ends report. */
export interface Line {
  readonly rttMs: number;
  /** From the first to the second, where it was measured. */
  readonly bytesPerSecond?: number | undefined;
}
export type LineOf = (a: PeerId, b: PeerId) => Line | undefined;

/** What a step of the run is. */
export interface Work {
  readonly model: ModelShape;
  readonly windowsPerStep: number;
}

export interface Planned {
  readonly set: readonly Seeker[];
  /** By rank: by id; a star's hub is who sends fastest; stages are in the order that is fastest. */
  readonly members: readonly PeerId[];
  readonly plan: IslandPlan;
  /** Of what it waits for most often. */
  readonly ms: number;
  /** Predicted, of a whole step, where everybody's speed is known. */
  readonly stepMs?: number;
  /** Their lines are too slow for cut matrices: somebody nearer may come. */
  readonly isFar: boolean;
}

/** slow: their lines are. too-small: what they hold is less than the model. */
export type Misfit = "slow" | "too-small";
export const isPlanned = (outcome: Planned | Misfit): outcome is Planned => typeof outcome !== "string";

/** Matrices are cut, or positions shared, where lines are fast; layers go to stages where they are not, or where that is predicted to be faster, or alone fits. */
export function planOf(set: readonly Seeker[], lineOf: LineOf, work: Work): Planned | Misfit {
  const members = set.map(({ peer }) => peer);
  const rtts = members.flatMap((a, i) =>
    members.slice(i + 1).map((b) => lineOf(a, b)?.rttMs ?? Number.POSITIVE_INFINITY),
  );
  const rttMs = Math.max(...rtts);
  const lines = { ranks: set.length, latencyMs: rttMs / 2, bytesPerSecond: Math.min(...set.map(upOf)) };
  if (islandKindOf(work.model) === "sequence") {
    const { numbers } = sequenceExchange(work.model, set.length);
    const bytes = 4 * (work.model.contextLength / set.length) * numbers; // f32
    const ms = lines.latencyMs + (1_000 * bytes) / lines.bytesPerSecond;
    return rttMs <= RTT_MAX_MS ? { set, members, plan: { kind: "sequence" }, ms, isFar: false } : "slow";
  }
  const tensor = tensorOf(set, work, lines);
  if (isPlanned(tensor) && tensor.stepMs === undefined) return tensor; // nothing says that stages are faster
  const pipeline = pipelineOf(set, lineOf, work, lines, tensor === "slow");
  if (!isPlanned(tensor) && !isPlanned(pipeline))
    return tensor === "too-small" || pipeline === "too-small" ? "too-small" : "slow";
  if (!isPlanned(tensor)) return pipeline;
  return isPlanned(pipeline) && pipeline.stepMs! < tensor.stepMs! ? pipeline : tensor;
}

/** Among all of them, as slow as the slowest. */
type Lines = Omit<AllReduceLines, "hubBytesPerSecond" | "bytes">;

function tensorOf(set: readonly Seeker[], { model, windowsPerStep }: Work, lines: Lines): Planned | Misfit {
  const ranks = set.length;
  const ups = set.map(upOf);
  const hubBytesPerSecond = Math.max(...ups);
  const given = { ...lines, hubBytesPerSecond };
  const { form, ms } = shortestForm({ ...given, bytes: sequenceBytes(model) });
  if (2 * lines.latencyMs > RTT_MAX_MS || ms > ALL_REDUCE_MAX_MS) return "slow";
  if (set.some(({ capacity }) => capacity && (capacity.tensorRanksMin ?? Number.POSITIVE_INFINITY) > ranks))
    return "too-small";
  const byId = set.map(({ peer }) => peer);
  const hub = byId[ups.indexOf(hubBytesPerSecond)];
  const members = form === "star" ? [hub, ...byId.filter((peer) => peer !== hub)] : byId;
  const planned = { set, members, plan: { kind: "tensor", exchange: "int8", form }, ms, isFar: false } as const;
  const speeds = speedsOf(set);
  if (speeds === undefined) return planned;
  const sequences = sequencesAtOnce(windowsPerStep, "tensor", ranks);
  const eachMs = allReduceMs({ ...given, bytes: sequences * sequenceBytes(model) })[form];
  const step = stepShapeOf(model, windowsPerStep, sequences);
  return { ...planned, stepMs: tensorStepMs(step, ranks, Math.min(...speeds), eachMs) };
}

function pipelineOf(
  set: readonly Seeker[],
  lineOf: LineOf,
  { model, windowsPerStep }: Work,
  lines: Lines,
  isFar: boolean,
): Planned | Misfit {
  if (model.residual) return "slow"; // a stage hands on one stream alone
  const ranks = set.length;
  const handOnMs = (latencyMs: number, bytesPerSecond: number): number =>
    latencyMs + (1_000 * sequenceBytes(model)) / bytesPerSecond;
  const ms = handOnMs(lines.latencyMs, lines.bytesPerSecond);
  const speeds = speedsOf(set);
  if ((speeds === undefined && ms > HOP_MAX_MS) || model.layers < ranks) return "slow";
  const sequences = sequencesAtOnce(windowsPerStep, "pipeline", ranks);
  const step = stepShapeOf(model, windowsPerStep, sequences);
  const hopOf = (from: Seeker, to: Seeker): Hop | undefined => {
    const latencyMs = (lineOf(from.peer, to.peer)?.rttMs ?? Number.POSITIVE_INFINITY) / 2;
    const [there, back] = [
      lineOf(from.peer, to.peer)?.bytesPerSecond ?? upOf(from),
      lineOf(to.peer, from.peer)?.bytesPerSecond ?? upOf(to),
    ];
    if (handOnMs(latencyMs, Math.min(there, back)) > HOP_MAX_MS) return undefined;
    const bytes = 1_000 * sequences * sequenceBytes(model);
    return { forwardMs: bytes / there, backwardMs: bytes / back, latencyMs };
  };
  const mostOf = ({ capacity }: Seeker, rank: number): number =>
    capacity?.stageLayersMax[ranks - 2][rank] ?? model.layers;
  const best =
    speeds === undefined
      ? bestOrder({
          members: set,
          step: { ...step, headFlops: 0 },
          speeds: set.map(() => 1),
          mostOf,
          hopOf: () => NO_HOP,
        })
      : bestOrder({ members: set, step, speeds, mostOf, hopOf });
  if (best === undefined) {
    const isSlow = set.some((a) => set.some((b) => a !== b && hopOf(a, b) === undefined));
    return isSlow ? "slow" : "too-small";
  }
  const { layers, stepMs } = best;
  return {
    ...{ set, members: best.members.map(({ peer }) => peer), plan: { kind: "pipeline", layers, exchange: "int8" } },
    ...{ ms, isFar, ...(speeds && { stepMs }) },
  };
}

/** All of equal speed and lines: as long as not everybody says how fast it is. */
const NO_HOP: Hop = { forwardMs: 0, backwardMs: 0, latencyMs: 0 };

/** A step's products are so much slower than one alone, with what lies between them: 0.57 to 0.65 were measured (docs/MEASUREMENTS.md, Engine). */
const STEP_EFFICIENCY = 0.6;

/** FLOP/s of steps; undefined: not everybody says how fast it is. */
function speedsOf(set: readonly Seeker[]): number[] | undefined {
  const speeds = set.flatMap(({ capacity }) => capacity?.flopsPerSecond ?? []);
  return speeds.length === set.length ? speeds.map((speed) => STEP_EFFICIENCY * speed) : undefined;
}

const upOf = ({ bytesPerSecond }: Seeker): number => bytesPerSecond ?? UNMEASURED_BYTES_PER_SECOND;

/** Activations of a sequence, as they cross. */
const sequenceBytes = ({ contextLength, dModel }: ModelShape): number => contextLength * dModel * BYTES_PER_NUMBER.int8;

function shortestForm(given: AllReduceLines): { form: Form; ms: number } {
  const msByForm = allReduceMs(given);
  const forms = ["direct", "reduce-scatter", "star"] as const; // of equal ones the first
  const form = forms.reduce((best, next) => (msByForm[next] < msByForm[best] ? next : best));
  return { form, ms: msByForm[form] };
}
