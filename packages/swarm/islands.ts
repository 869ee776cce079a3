// Who makes an island with whom: a function of who seeks one and of what their links measured. [R54]
//
//   seekers, lines between them -> islands (members by rank, plan), and why the others wait
//
// An all-reduce of S bytes among P members, whose lines take `lat` one way and send `up` bytes a second:
//
//   direct          lat + (P−1)·S/up                     everybody to everybody
//   reduce-scatter  2·lat + 2·(P−1)/P·S/up               to who sums those rows, and back
//   star            2·lat + S/up + (P−1)·S/hubUp         to rank 0, and back
//
// Where members share sequences instead, keys go straight to who sees them.
import {
  type Form,
  type IslandPlan,
  type IslandWait,
  islandKindOf,
  type ModelShape,
  type PeerId,
  RANKS_MAX,
  sharesAmong,
} from "#wire";

/**
 * A step waits for a one-way trip 4 times a layer, where attention and feed-forward end, forward and backward: of 12 layers at 30 ms there and back 0.7 s, as long as a model computes that needs an island
 * (150 million parameters, 2,048 tokens, 2 TFLOP/s). Homes are further from each other, rooms and buildings are not.
 */
export const RTT_MAX_MS = 30;
/** What nobody measured is taken for a wireless LAN's 100 Mbit/s. */
const UNMEASURED_BYTES_PER_SECOND = 12.5e6;
/** int8 codes, and an f32 scale for each 64. */
const BYTES_PER_VALUE = 1 + 4 / 64;
/** Of each size: with 8 neighbours who seek too a seeker is in 56 sets of four at most, and who claims more links makes no more work than this. */
const SETS_MAX = 20_000;

export interface Seeker {
  readonly peer: PeerId;
  /** The model fits it among so many. */
  readonly ranksMin: number;
  /** Of its line to anybody, as far as it was measured. */
  readonly bytesPerSecond: number | undefined;
  /** Its links had time to be measured. */
  readonly measured: boolean;
}

/** A direct link that both ends report. */
interface Line {
  readonly rttMs: number;
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

/** Fewest members first, then the shortest all-reduce; each seeker in one island at most. */
export function formIslands({ lineOf, model, room, rests, ...rest }: FormationGiven): Formation {
  const given = rest.seekers.map((seeker) => ({ ...seeker, ranksMin: leastRanks(model, seeker) }));
  const seekers = [...given].sort((a, b) => (a.peer < b.peer ? -1 : 1));
  const free = new Set(seekers);
  const islands: Formed[] = [];
  const isFast = (a: PeerId, b: PeerId): boolean => (lineOf(a, b)?.rttMs ?? Number.POSITIVE_INFINITY) <= RTT_MAX_MS;
  for (let ranks = 2; ranks <= RANKS_MAX; ranks++) {
    if (!sharesAmong(model, ranks)) continue;
    const able = seekers.filter((seeker) => free.has(seeker) && seeker.measured && seeker.ranksMin <= ranks);
    const sets = cliques(able, ranks, (a, b) => isFast(a.peer, b.peer)).filter((set) => !rests(idsOf(set)));
    const planned = sets.map((set) => ({ set, ...planOf(set, lineOf, model) }));
    for (const { set, members, plan } of planned.sort((a, b) => a.ms - b.ms)) {
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
    const linked = others.filter(({ peer }) => lineOf(seeker.peer, peer) !== undefined);
    if (linked.length + 1 < ranksMin) return { missing: ranksMin - 1 - linked.length, because: "unlinked" };
    const fast = linked.filter(({ peer }) => isFast(seeker.peer, peer));
    if (fast.length + 1 < ranksMin) return { missing: ranksMin - 1 - fast.length, because: "slow" };
    const sets = cliques([seeker, ...fast], ranksMin, (a, b) => isFast(a.peer, b.peer));
    const own = sets.filter((set) => set.includes(seeker));
    if (own.length === 0) return { missing: 0, because: "unlinked" };
    return { missing: 0, because: own.some((set) => set.some(({ measured }) => !measured)) ? "measuring" : "resting" };
  };
  return { islands, waits: new Map(left.map((seeker) => [seeker.peer, whyWaits(seeker)])) };
}

/** Where so many cannot share it, one more may. */
const leastRanks = (model: ModelShape, { ranksMin }: Seeker): number =>
  ranksMin < RANKS_MAX && !sharesAmong(model, ranksMin) ? ranksMin + 1 : ranksMin;

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

/** Ranks by id; a star's hub is who sends fastest. */
function planOf(
  set: readonly Seeker[],
  lineOf: FormationGiven["lineOf"],
  model: ModelShape,
): Formed & { readonly ms: number } {
  const ids = idsOf(set);
  const pairs = ids.flatMap((a, i) => ids.slice(i + 1).map((b) => lineOf(a, b)!.rttMs));
  const ups = set.map(({ bytesPerSecond }) => bytesPerSecond ?? UNMEASURED_BYTES_PER_SECOND);
  const given = { ranks: set.length, latencyMs: Math.max(...pairs) / 2, bytesPerSecond: Math.min(...ups) };
  if (islandKindOf(model) === "sequence") {
    const ms = given.latencyMs + (1_000 * keysBytes(model, set.length)) / given.bytesPerSecond;
    return { members: ids, plan: { kind: "sequence" }, ms };
  }
  const hubBytesPerSecond = Math.max(...ups);
  const { form, ms } = shortestForm({
    ...given,
    hubBytesPerSecond,
    bytes: model.contextLength * model.dModel * BYTES_PER_VALUE,
  });
  const hub = ids[ups.indexOf(hubBytesPerSecond)];
  const members = form === "star" ? [hub, ...ids.filter((peer) => peer !== hub)] : ids;
  return { members, plan: { kind: "tensor", exchange: "int8", form }, ms };
}

/** What a member that shares sequences sends in a layer: its keys and values, f32, to who sees them, and backward those and as many gradients. */
function keysBytes({ contextLength, dModel, heads, kvHeads }: ModelShape, ranks: number): number {
  const block = 2 * 4 * (contextLength / ranks) * (dModel / heads) * kvHeads;
  return (1 + 3 / 2) * (ranks - 1) * block;
}

export interface AllReduce {
  readonly ranks: number;
  /** One way. */
  readonly latencyMs: number;
  /** Of the slowest member, up. */
  readonly bytesPerSecond: number;
  /** Of rank 0 in a star, up. */
  readonly hubBytesPerSecond: number;
  /** Of one member's partial sum, as it crosses. */
  readonly bytes: number;
}

/** Predicted time of one all-reduce in each form; see the head of this file. */
export function allReduceMs({
  ranks,
  latencyMs,
  bytesPerSecond,
  hubBytesPerSecond,
  bytes,
}: AllReduce): Record<Form, number> {
  const partMs = (1_000 * bytes) / bytesPerSecond;
  const hubMs = (1_000 * bytes) / hubBytesPerSecond;
  return {
    direct: latencyMs + (ranks - 1) * partMs,
    "reduce-scatter": 2 * latencyMs + ((2 * (ranks - 1)) / ranks) * partMs,
    star: 2 * latencyMs + partMs + (ranks - 1) * hubMs,
  };
}

function shortestForm(given: AllReduce): { form: Form; ms: number } {
  const msByForm = allReduceMs(given);
  const forms = ["direct", "reduce-scatter", "star"] as const; // of equal ones the first
  const form = forms.reduce((best, next) => (msByForm[next] < msByForm[best] ? next : best));
  return { form, ms: msByForm[form] };
}
