// Who makes an island with whom: a function of who seeks one and of what their links measured. [R54]
//
//   seekers, lines between them -> islands (members by rank, plan), and why the others wait
//
// How a set of them would share the model, and what it would wait for, is in island-plan.ts; who of them is which stage in island-stages.ts.
import {
  type Capacity,
  type IslandPlan,
  type IslandWait,
  type ModelShape,
  type PeerId,
  RANKS_MAX,
  sharesAmong,
} from "#wire";
import { isPlanned, type LineOf, type Misfit, type Planned, planOf, type Work } from "./island-plan.ts";

/** Who came together is linked and measured within this: else the first two links decide, and not the best. */
export const GATHER_MS = 1_000;
/** Where lines are too slow for cut matrices it waits longer, for somebody nearer, and for busy machines: what their first answers took is smoothed out by then. */
export const GATHER_FAR_MS = 30_000;
/** Of each size: with 8 neighbours who seek too a seeker is in 56 sets of four at most, and who claims more links makes no more work than this. */
const SETS_MAX = 20_000;

export interface Seeker {
  readonly peer: PeerId;
  /** The model fits it among so many. */
  readonly ranksMin: number;
  /** Of its line to anybody, as far as it was measured. */
  readonly bytesPerSecond: number | undefined;
  /** What it says that it holds, and how fast it is; undefined: a build that says nothing of it. */
  readonly capacity?: Capacity | undefined;
  readonly soughtMs: number;
}

export interface Formed {
  /** By rank. */
  readonly members: readonly PeerId[];
  readonly plan: IslandPlan;
  /** Predicted, of a step, where everybody's speed is known. */
  readonly stepMs?: number;
}
interface Waits {
  /** So many more are needed, at least. */
  readonly missing: number;
  readonly because: IslandWait;
}

export interface Formation {
  readonly islands: readonly Formed[];
  /** Everybody else of the seekers. */
  readonly waits: ReadonlyMap<PeerId, Waits>;
}

export interface FormationGiven extends Work {
  readonly seekers: readonly Seeker[];
  readonly lineOf: LineOf;
  /** So many more may be formed. */
  readonly room: number;
  /** These have just tried, and fell apart. */
  readonly rests: (members: readonly PeerId[]) => boolean;
}

/** Fewest members first, then whose step is predicted to be shortest; behind those whose exchange is, the far ones last; each seeker in one island at most. */
export function formIslands({ lineOf, model, windowsPerStep, room, rests, ...rest }: FormationGiven): Formation {
  const given = rest.seekers.map((seeker) => ({ ...seeker, ranksMin: leastRanks(model, seeker) }));
  const seekers = [...given].sort((a, b) => (a.peer < b.peer ? -1 : 1));
  const free = new Set(seekers);
  const islands: Formed[] = [];
  const isLinked = (a: Seeker, b: Seeker): boolean => lineOf(a.peer, b.peer) !== undefined;
  const outcomeBySet = new Map<number, Planned | Misfit>(); // each is asked for when islands are formed, and by each who waits
  const placeOf = new Map(seekers.map((seeker, i) => [seeker, i + 1]));
  const planned = (set: readonly Seeker[]): Planned | Misfit => {
    const byId = set.map((seeker) => placeOf.get(seeker)!).sort((a, b) => a - b);
    const key = byId.reduce((key, place) => key * (seekers.length + 1) + place, 0);
    const known =
      outcomeBySet.get(key) ??
      planOf(
        byId.map((place) => seekers[place - 1]),
        lineOf,
        { model, windowsPerStep },
      );
    outcomeBySet.set(key, known);
    return known;
  };
  const measuring = new Set<Seeker>(); // for a larger island than it asks for, perhaps
  for (let ranks = 2; ranks <= RANKS_MAX; ranks++) {
    if (!sharesAmong(model, ranks)) continue;
    const able = seekers.filter((seeker) => free.has(seeker) && seeker.ranksMin <= ranks);
    const plans = cliques(able, ranks, isLinked)
      .filter((set) => !rests(idsOf(set)))
      .map(planned)
      .filter(isPlanned);
    for (const plan of plans) if (!hasGathered(plan)) for (const seeker of plan.set) measuring.add(seeker);
    for (const { set, members, plan, stepMs } of plans.filter(hasGathered).sort(byStep)) {
      if (islands.length >= room || !set.every((seeker) => free.has(seeker))) continue;
      islands.push({ members, plan, ...(stepMs !== undefined && { stepMs }) });
      for (const seeker of set) free.delete(seeker);
    }
  }
  const taken = new Set(islands.flatMap(({ members }) => members));
  const left = given.filter(({ peer }) => !taken.has(peer));
  const whyWaits = (seeker: Seeker): Waits => {
    const { ranksMin } = seeker;
    const others = left.filter((other) => other !== seeker && other.ranksMin <= ranksMin);
    if (others.length + 1 < ranksMin) return { missing: ranksMin - 1 - others.length, because: "too-few" };
    if (islands.length >= room) return { missing: 0, because: "full" };
    const linked = others.filter((other) => isLinked(seeker, other));
    if (linked.length + 1 < ranksMin) return { missing: ranksMin - 1 - linked.length, because: "unlinked" };
    const own = cliques([seeker, ...linked], ranksMin, isLinked).filter((set) => set.includes(seeker));
    if (own.length === 0) return { missing: 0, because: "unlinked" };
    const outcomes = own.map(planned);
    const plans = outcomes.filter(isPlanned);
    if (plans.length > 0) return { missing: 0, because: plans.every(hasGathered) ? "resting" : "measuring" };
    if (measuring.has(seeker)) return { missing: 0, because: "measuring" };
    if (!outcomes.includes("too-small")) return { missing: 1, because: "slow" };
    return seeker.capacity ? { missing: 0, because: "too-small" } : { missing: 1, because: "too-few" };
  };
  return { islands, waits: new Map(left.map((seeker) => [seeker.peer, whyWaits(seeker)])) };
}

/** Where so many cannot share it, one more may. */
const leastRanks = (model: ModelShape, { ranksMin }: Seeker): number =>
  ranksMin < RANKS_MAX && !sharesAmong(model, ranksMin) ? ranksMin + 1 : ranksMin;

const hasGathered = ({ set, isFar }: Planned): boolean =>
  set.every(({ soughtMs }) => soughtMs >= (isFar ? GATHER_FAR_MS : GATHER_MS));

const byStep = (a: Planned, b: Planned): number => {
  if (a.stepMs !== undefined && b.stepMs !== undefined) return a.stepMs - b.stepMs;
  if (a.stepMs !== undefined || b.stepMs !== undefined) return a.stepMs === undefined ? 1 : -1;
  return Number(a.isFar) - Number(b.isFar) || a.ms - b.ms;
};

const idsOf = (set: readonly Seeker[]): PeerId[] => set.map(({ peer }) => peer);

/** All sets of `size` of which each two suit each other, in the order given. */
function cliques(among: readonly Seeker[], size: number, suits: (a: Seeker, b: Seeker) => boolean): Seeker[][] {
  const found: Seeker[][] = [];
  const grow = (set: readonly Seeker[], rest: readonly Seeker[]): void => {
    for (const [i, next] of rest.entries()) {
      if (found.length >= SETS_MAX) return;
      const grown = [...set, next];
      if (grown.length === size) found.push(grown);
      else
        grow(
          grown,
          rest.slice(i + 1).filter((other) => suits(next, other)),
        );
    }
  };
  grow([], among);
  return found;
}
