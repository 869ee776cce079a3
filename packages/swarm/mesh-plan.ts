// Who is linked with whom: the host's plan, of which each peer hears only its own neighbours. [R25]
//
//   up to 9 peers: everybody with everybody;  more: an H-graph (Law & Siu 2003), the union of 4 random Hamilton cycles, 8-regular
//
// A peer's place in each cycle is drawn by a keyed hash of its id, so the cycles are independent and uniform whoever comes and goes:
// a newcomer is put between two peers of each cycle, a leaver's two neighbours are joined. The key is the host's secret, so nobody
// chooses his neighbours; and it outlives a restart, so the same peers find themselves with the same neighbours.
// Random 8-regular graphs are expanders (Friedman 2008: the second eigenvalue is at most 2·√7 + ε = 5.3 of 8, with high probability).
import { canonicalBytes, hashHex, type PeerId } from "#wire";

/** Cycles: 4 give 8 links a peer, which feed it faster than it folds; browsers are comfortable with 20 to 35 connections. */
const CYCLES = 4;
/** Up to here everybody has at most 8 links in a full mesh, too. */
const FULL_MESH_MAX = 2 * CYCLES + 1;

interface Place {
  readonly key: string;
  readonly peer: PeerId;
}

/** Two peers that are neighbours from now on, or no longer. */
export interface MeshChange {
  readonly pair: readonly [PeerId, PeerId];
  readonly linked: boolean;
}

export class MeshPlan {
  private readonly seed: string;
  private readonly cycles: readonly Place[][] = Array.from({ length: CYCLES }, () => []);
  private readonly members = new Map<PeerId, readonly string[]>(); // its keys, one for each cycle
  private ties = new Map<PeerId, ReadonlySet<PeerId>>(); //           neighbours beside the plan, both ways

  /** @param seed a secret of the host: who knows it can choose an id for its neighbours */
  constructor(seed: string) {
    this.seed = seed;
  }

  join(peer: PeerId): MeshChange[] {
    if (this.members.has(peer)) return [];
    return this.change(peer, () => {
      const keys = this.keys(peer);
      this.members.set(peer, keys);
      for (const [i, key] of keys.entries()) this.cycles[i].splice(place(this.cycles[i], key, peer), 0, { key, peer });
    });
  }

  leave(peer: PeerId): MeshChange[] {
    if (!this.members.has(peer)) return [];
    return this.change(peer, () => {
      const keys = this.keys(peer);
      this.members.delete(peer);
      this.ties = tiesOf(pairsOf(this.ties).filter((pair) => !pair.includes(peer)));
      for (const [i, key] of keys.entries()) this.cycles[i].splice(place(this.cycles[i], key, peer), 1);
    });
  }

  /** These are neighbours whatever the plan says, and no others: at most 8 and an island's members more. [R54] */
  tie(pairs: readonly (readonly [PeerId, PeerId])[]): MeshChange[] {
    const before = pairsOf(this.ties);
    this.ties = tiesOf(pairs);
    const after = pairsOf(this.ties);
    const isIn = (all: readonly (readonly [PeerId, PeerId])[]) => {
      const keys = new Set(all.map(([a, b]) => a + b));
      return ([a, b]: readonly [PeerId, PeerId]): boolean => keys.has(a + b);
    };
    const [was, is] = [isIn(before), isIn(after)];
    const changed = [
      ...before.filter((pair) => !is(pair)).map((pair) => ({ pair, linked: false })),
      ...after.filter((pair) => !was(pair)).map((pair) => ({ pair, linked: true })),
    ];
    return changed.filter(({ pair: [a, b] }) => !this.planned(a).includes(b));
  }

  /** By the plan and by ties, sorted. */
  neighbours(peer: PeerId): PeerId[] {
    const tied = this.ties.get(peer);
    return tied === undefined ? this.planned(peer) : [...new Set([...this.planned(peer), ...tied])].sort();
  }

  /** Of somebody who is not here yet: those whom it would get. At most 8, sorted. */
  planned(peer: PeerId): PeerId[] {
    const here = this.members.has(peer);
    if (this.members.size + (here ? 0 : 1) <= FULL_MESH_MAX)
      return [...this.members.keys()].filter((other) => other !== peer).sort();
    const near = new Set<PeerId>();
    for (const [i, key] of this.keys(peer).entries()) {
      const cycle = this.cycles[i];
      const at = place(cycle, key, peer);
      near.add(cycle[(at - 1 + cycle.length) % cycle.length].peer);
      near.add(cycle[(here ? at + 1 : at) % cycle.length].peer);
    }
    return [...near].sort();
  }

  areNeighbours(a: PeerId, b: PeerId): boolean {
    return this.members.has(a) && this.members.has(b) && a !== b && this.neighbours(a).includes(b);
  }

  /** In the order of the first cycle, in which peers that follow one another are neighbours. */
  inOrder(peers: readonly PeerId[]): PeerId[] {
    const keyed = peers.map((peer) => ({ key: this.keys(peer)[0], peer }));
    return keyed.sort((a, b) => (isBefore(a, b.key, b.peer) ? -1 : 1)).map(({ peer }) => peer);
  }

  /** Only those around `peer` change neighbours; where the full mesh begins or ends, everybody does. */
  private change(peer: PeerId, apply: () => void): MeshChange[] {
    const small = this.members.size <= FULL_MESH_MAX + 1;
    const around = [
      ...(small ? [...this.members.keys()].filter((other) => other !== peer) : this.neighbours(peer)),
      peer,
    ];
    const pairsAround = (): Map<string, [PeerId, PeerId]> => {
      const pairs = new Map<string, [PeerId, PeerId]>();
      for (const a of around)
        if (this.members.has(a))
          for (const b of this.neighbours(a)) pairs.set(a < b ? a + b : b + a, a < b ? [a, b] : [b, a]);
      return pairs;
    };
    const before = pairsAround();
    apply();
    const after = pairsAround();
    const changes: MeshChange[] = [];
    for (const [key, pair] of before) if (!after.has(key)) changes.push({ pair, linked: false });
    for (const [key, pair] of after) if (!before.has(key)) changes.push({ pair, linked: true });
    return changes;
  }

  /** 64 bits for each cycle. */
  private keys(peer: PeerId): readonly string[] {
    const known = this.members.get(peer);
    if (known !== undefined) return known;
    const hash = hashHex(canonicalBytes(["gossamer mesh v1", this.seed, peer]));
    return Array.from({ length: CYCLES }, (_, i) => hash.slice(16 * i, 16 * (i + 1)));
  }
}

type Ties = ReadonlyMap<PeerId, ReadonlySet<PeerId>>;

/** Each once, the smaller id first. */
const pairsOf = (ties: Ties): (readonly [PeerId, PeerId])[] =>
  [...ties].flatMap(([a, others]) => [...others].filter((b) => a < b).map((b): [PeerId, PeerId] => [a, b]));

function tiesOf(pairs: readonly (readonly [PeerId, PeerId])[]): Map<PeerId, ReadonlySet<PeerId>> {
  const ties = new Map<PeerId, Set<PeerId>>();
  for (const [a, b] of pairs)
    for (const [one, other] of [
      [a, b],
      [b, a],
    ])
      ties.set(one, (ties.get(one) ?? new Set()).add(other));
  return ties;
}

const isBefore = (place: Place, key: string, peer: PeerId): boolean =>
  place.key < key || (place.key === key && place.peer < peer);

/** Where that key is, or belongs. */
function place(cycle: readonly Place[], key: string, peer: PeerId): number {
  let low = 0;
  let high = cycle.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(cycle[middle], key, peer)) low = middle + 1;
    else high = middle;
  }
  return low;
}
