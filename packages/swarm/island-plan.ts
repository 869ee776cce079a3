// How members would share the model of a run, and how long they would wait for each other in it.
//
// Cut matrices wait for an all-reduce (allReduceMs), shared sequences for keys, which go straight to who sees them, stages of layers for one microbatch's activations: lat + S/up.
import {
  type AllReduceLines,
  allReduceMs,
  BYTES_PER_NUMBER,
  type Form,
  type IslandPlan,
  islandKindOf,
  type ModelShape,
  type PeerId,
} from "#wire";
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
}

export interface Planned {
  readonly set: readonly Seeker[];
  /** By rank: by id; a star's hub is who sends fastest. */
  readonly members: readonly PeerId[];
  readonly plan: IslandPlan;
  /** Of what it waits for most often. */
  readonly ms: number;
}

/** Matrices are cut, or positions shared, where lines are fast; layers go to stages where they are not. Undefined: too slow for any. */
export function planOf(
  set: readonly Seeker[],
  lineOf: (a: PeerId, b: PeerId) => Line | undefined,
  model: ModelShape,
): Planned | undefined {
  const members = set.map(({ peer }) => peer);
  const rtts = members.flatMap((a, i) =>
    members.slice(i + 1).map((b) => lineOf(a, b)?.rttMs ?? Number.POSITIVE_INFINITY),
  );
  const rttMs = Math.max(...rtts);
  const ups = set.map(({ bytesPerSecond }) => bytesPerSecond ?? UNMEASURED_BYTES_PER_SECOND);
  const given = { ranks: set.length, latencyMs: rttMs / 2, bytesPerSecond: Math.min(...ups) };
  if (islandKindOf(model) === "sequence") {
    const ms = given.latencyMs + (1_000 * keysBytes(model, set.length)) / given.bytesPerSecond;
    return rttMs <= RTT_MAX_MS ? { set, members, plan: { kind: "sequence" }, ms } : undefined;
  }
  const bytes = model.contextLength * model.dModel * BYTES_PER_NUMBER.int8;
  const hubBytesPerSecond = Math.max(...ups);
  const { form, ms } = shortestForm({ ...given, hubBytesPerSecond, bytes });
  if (rttMs <= RTT_MAX_MS && ms <= ALL_REDUCE_MAX_MS) {
    const hub = members[ups.indexOf(hubBytesPerSecond)];
    const ranks = form === "star" ? [hub, ...members.filter((peer) => peer !== hub)] : members;
    return { set, members: ranks, plan: { kind: "tensor", exchange: "int8", form }, ms };
  }
  const hopMs = given.latencyMs + (1_000 * bytes) / given.bytesPerSecond;
  if (hopMs > HOP_MAX_MS || model.layers < set.length) return undefined;
  const layers = equalParts(model.layers, set.length);
  return { set, members, plan: { kind: "pipeline", layers, exchange: "int8" }, ms: hopMs };
}

/** What is left over goes to the first ones: the last one has the head as well. */
const equalParts = (count: number, parts: number): number[] =>
  Array.from({ length: parts }, (_, i) => Math.floor(count / parts) + (i < count % parts ? 1 : 0));

/** What a member that shares sequences sends in a layer: its keys and values, f32, to who sees them, and backward those and as many gradients. */
function keysBytes({ contextLength, dModel, heads, kvHeads }: ModelShape, ranks: number): number {
  const block = 2 * 4 * (contextLength / ranks) * (dModel / heads) * kvHeads;
  return (1 + 3 / 2) * (ranks - 1) * block;
}

function shortestForm(given: AllReduceLines): { form: Form; ms: number } {
  const msByForm = allReduceMs(given);
  const forms = ["direct", "reduce-scatter", "star"] as const; // of equal ones the first
  const form = forms.reduce((best, next) => (msByForm[next] < msByForm[best] ? next : best));
  return { form, ms: msByForm[form] };
}
