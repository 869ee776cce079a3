// Which member of a pipeline is which stage, and of how many layers: as their memory allows, so that a step is over soonest.
//
//   members (speed, most layers by place), lines -> the best of at most 24 orders -> layers by rank
import { type Hop, pipelineStepMs, RANKS_MAX, type StepShape } from "#wire";

export interface StageGiven {
  readonly layers: number;
  /** By rank; in whatever unit, of layers a time. */
  readonly speeds: readonly number[];
  /** What the last stage computes beside its layers, in layers. */
  readonly headLayers: number;
  /** By rank. */
  readonly most: readonly number[];
}

/**
 * Layers of each stage, one at least, so that the slowest stage is as fast as can be; of equal ones the first has more. Undefined: not all layers fit.
 * Begins with what each stage can do in a time that no sharing is below, and gives the rest one by one to who is done with one more first: layers are alike, so that is the best sharing.
 */
export function stagesOf({ layers, speeds, headLayers, most }: StageGiven): number[] | undefined {
  const stages = speeds.length;
  if (layers < stages || most.some((count) => count < 1) || sumOf(most) < layers) return undefined;
  const before = (rank: number): number => (rank === stages - 1 ? headLayers : 0);
  const doneAt = (rank: number, count: number): number => (count + before(rank)) / speeds[rank];
  const leastTime = (layers + headLayers) / sumOf(speeds);
  const counts = speeds.map((speed, rank) =>
    Math.max(1, Math.min(most[rank], Math.floor(leastTime * speed - before(rank)))),
  );
  for (let left = layers - sumOf(counts); left !== 0; left += left > 0 ? -1 : 1) {
    const step = left > 0 ? 1 : -1;
    let best: number | undefined;
    for (let rank = 0; rank < stages; rank++) {
      const isOpen = step > 0 ? counts[rank] < most[rank] : counts[rank] > 1;
      if (!isOpen) continue;
      if (best === undefined) best = rank;
      else if (step > 0 && doneAt(rank, counts[rank] + 1) < doneAt(best, counts[best] + 1)) best = rank;
      else if (step < 0 && doneAt(rank, counts[rank]) >= doneAt(best, counts[best])) best = rank;
    }
    counts[best!] += step; // most holds all layers, and each has one at least: somebody is open
  }
  return counts;
}

export interface OrderGiven<Member> {
  readonly members: readonly Member[];
  readonly step: StepShape;
  /** FLOP/s, by member. */
  readonly speeds: readonly number[];
  readonly mostOf: (member: Member, rank: number) => number;
  /** From one to the next; undefined: no line for it. */
  readonly hopOf: (from: Member, to: Member) => Hop | undefined;
}

export interface Ordered<Member> {
  /** By rank. */
  readonly members: readonly Member[];
  readonly layers: readonly number[];
  readonly stepMs: number;
}

/** The order whose step is predicted to be the shortest, of equal ones the first; undefined: in none they hold the model. */
export function bestOrder<Member>({
  members,
  step,
  speeds,
  ...given
}: OrderGiven<Member>): Ordered<Member> | undefined {
  const stages = members.length;
  const { layers, layerFlops, headFlops, microbatches } = step;
  const hops = members.map((from) => members.map((to) => (from === to ? undefined : given.hopOf(from, to))));
  let best: { order: readonly number[]; layers: readonly number[]; stepMs: number } | undefined;
  for (const order of ORDERS[stages]) {
    const chain = order.slice(1).map((to, i) => hops[order[i]][to]);
    if (!chain.every((hop) => hop !== undefined)) continue;
    const stageSpeeds = order.map((m) => speeds[m]);
    const most = order.map((m, rank) => given.mostOf(members[m], rank));
    const counts = stagesOf({ layers, speeds: stageSpeeds, headLayers: headFlops / layerFlops, most });
    if (counts === undefined) continue;
    const computeMs = counts.map(
      (count, rank) => (1_000 * (count * layerFlops + (rank === stages - 1 ? headFlops : 0))) / stageSpeeds[rank],
    );
    const stepMs = pipelineStepMs(computeMs, chain, microbatches);
    if (best === undefined || stepMs < best.stepMs) best = { order, layers: counts, stepMs };
  }
  return best && { ...best, members: best.order.map((m) => members[m]) };
}

/** All of them, the given one first. */
const ordersOf = (items: readonly number[]): number[][] =>
  items.length < 2
    ? [[...items]]
    : items.flatMap((item) => ordersOf(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));

/** By members. */
const ORDERS = Array.from({ length: RANKS_MAX + 1 }, (_, members) =>
  ordersOf(Array.from({ length: members }, (_, i) => i)),
);

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0);
