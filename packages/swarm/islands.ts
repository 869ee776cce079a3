// Who makes an island with whom: a function of who seeks one and of what their links measured. [R54]
//
//   seekers, lines between them -> islands (members by rank, plan), and why the others wait
//
// How a set of them would share the model, and what it would wait for, is in island-plan.ts.
import { type IslandPlan, type IslandWait, type ModelShape, type PeerId, RANKS_MAX, sharesAmong } from "#wire";
import { type Line, type Planned, planOf } from "./island-plan.ts";

/** Who came together is linked and measured within this: else the first two links decide, and not the best. */
export const GATHER_MS = 1_000;
/** A pipeline waits longer, for somebody nearer, and for busy machines: what their first answers took is smoothed out by then. */
export const GATHER_FAR_MS = 30_000;
/** Of each size: with 8 neighbours who seek too a seeker is in 56 sets of four at most, and who claims more links makes no more work than this. */
const SETS_MAX = 20_000;

export interface Seeker {
  readonly peer: PeerId;
  /** The model fits it among so many. */
  readonly ranksMin: number;
  /** Of its line to anybody, as far as it was measured. */
  readonly bytesPerSecond: number | undefined;
  readonly soughtMs: number;
}

export interface Formed {
  /** By rank. */
  readonly members: readonly PeerId[];
  readonly plan: IslandPlan;
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

export interface FormationGiven {
  readonly seekers: readonly Seeker[];
  readonly lineOf: (a: PeerId, b: PeerId) => Line | undefined;
  readonly model: ModelShape;
  /** So many more may be formed. */
  readonly room: number;
  /** These have just tried, and fell apart. */
  readonly rests: (members: readonly PeerId[]) => boolean;
}

/** Fewest members first, then whose exchange is shortest, pipelines last; each seeker in one island at most. */
export function formIslands({ lineOf, model, room, rests, ...rest }: FormationGiven): Formation {
  const given = rest.seekers.map((seeker) => ({ ...seeker, ranksMin: leastRanks(model, seeker) }));
  const seekers = [...given].sort((a, b) => (a.peer < b.peer ? -1 : 1));
  const free = new Set(seekers);
  const islands: Formed[] = [];
  const isLinked = (a: Seeker, b: Seeker): boolean => lineOf(a.peer, b.peer) !== undefined;
  const planned = (set: readonly Seeker[]) => planOf(set, lineOf, model);
  for (let ranks = 2; ranks <= RANKS_MAX; ranks++) {
    if (!sharesAmong(model, ranks)) continue;
    const able = seekers.filter((seeker) => free.has(seeker) && seeker.ranksMin <= ranks);
    const plans = cliques(able, ranks, isLinked)
      .filter((set) => !rests(idsOf(set)))
      .flatMap((set) => planned(set) ?? [])
      .filter(hasGathered);
    for (const { set, members, plan } of plans.sort(byExchange)) {
      if (islands.length >= room || !set.every((seeker) => free.has(seeker))) continue;
      islands.push({ members, plan });
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
    const plans = own.flatMap((set) => planned(set) ?? []);
    if (plans.length === 0) return { missing: 1, because: "slow" };
    return { missing: 0, because: plans.every(hasGathered) ? "resting" : "measuring" };
  };
  return { islands, waits: new Map(left.map((seeker) => [seeker.peer, whyWaits(seeker)])) };
}

/** Where so many cannot share it, one more may. */
const leastRanks = (model: ModelShape, { ranksMin }: Seeker): number =>
  ranksMin < RANKS_MAX && !sharesAmong(model, ranksMin) ? ranksMin + 1 : ranksMin;

const hasGathered = ({ set, plan }: Planned): boolean =>
  set.every(({ soughtMs }) => soughtMs >= (plan.kind === "pipeline" ? GATHER_FAR_MS : GATHER_MS));

const byExchange = (a: Planned, b: Planned): number =>
  Number(a.plan.kind === "pipeline") - Number(b.plan.kind === "pipeline") || a.ms - b.ms;

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
