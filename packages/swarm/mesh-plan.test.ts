// The mesh plan under churn: few neighbours, few changes, and an expander at every size.
import { describe, expect, test } from "vitest";
import type { PeerId } from "#wire";
import { MeshPlan } from "./mesh-plan.ts";
import { mix } from "./run-state.ts";
import { hash } from "./test-given.ts";

const peer = (i: number): PeerId => hash(`peer ${i}`).concat("00");

/** Grows to n, then up to 200 leave and as many join. Neighbours are what the changes add up to, as the peers hear it. */
function churned(n: number): { plan: MeshPlan; members: PeerId[]; neighbours: Map<PeerId, Set<PeerId>> } {
  const plan = new MeshPlan(`secret ${n}`);
  const members: PeerId[] = [];
  const neighbours = new Map<PeerId, Set<PeerId>>();
  const take = (changes: ReturnType<MeshPlan["join"]>): void => {
    for (const { pair, linked } of changes)
      for (const [a, b] of [pair, [pair[1], pair[0]]]) {
        const of = neighbours.get(a) ?? new Set();
        if (of.has(b) === linked) throw new Error(`${a} hears twice about ${b}`);
        if (linked) of.add(b);
        else of.delete(b);
        neighbours.set(a, of);
      }
  };
  let next = 0;
  const join = (): void => {
    const id = peer(next++);
    members.push(id);
    take(plan.join(id));
  };
  while (members.length < n) join();
  for (let i = 0; i < Math.min(n, 200); i++) {
    const [gone] = members.splice(mix(7, i) % members.length, 1);
    take(plan.leave(gone));
    if (neighbours.get(gone)!.size > 0) throw new Error(`${gone} left and is still somebody's neighbour`);
    join();
  }
  return { plan, members, neighbours };
}

/** Of the graph with equal degrees made by self-loops; by power iteration at right angles to the constant vector, as a share of 8. */
function secondEigenvalue(graph: readonly (readonly number[])[]): number {
  let vector = graph.map((_, i) => mix(1, i) / 2 ** 32 - 0.5);
  let size = 0;
  for (let round = 0; round < 40; round++) {
    const mean = vector.reduce((sum, value) => sum + value, 0) / vector.length;
    vector = vector.map((value) => value - mean);
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    vector = vector.map((value) => value / length);
    const next = graph.map((near, i) => near.reduce((sum, j) => sum + vector[j], (8 - near.length) * vector[i]));
    size = Math.sqrt(next.reduce((sum, value) => sum + value * value, 0));
    vector = next;
  }
  return size / 8;
}

function hopsFrom(graph: readonly (readonly number[])[], from: number): number {
  const seen = new Uint8Array(graph.length);
  seen[from] = 1;
  let front = [from];
  let hops = 0;
  let reached = 1;
  for (; front.length > 0; hops++) {
    const next: number[] = [];
    for (const i of front)
      for (const j of graph[i])
        if (seen[j] === 0) {
          seen[j] = 1;
          reached++;
          next.push(j);
        }
    front = next;
  }
  expect(reached).toBe(graph.length); // connected
  return hops - 1;
}

describe("[R25] the mesh plan", () => {
  test.each([10, 100, 1_000, 10_000])(
    "%d peers after churn: 8 links at most, an expander, few hops",
    (n) => {
      const { plan, members, neighbours } = churned(n);
      const indexOf = new Map(members.map((id, i) => [id, i]));
      const graph = members.map((id) => [...neighbours.get(id)!].map((other) => indexOf.get(other)!));
      expect(Math.max(...graph.map((near) => near.length))).toBeLessThanOrEqual(8);
      for (const id of members.slice(-50)) expect(plan.neighbours(id)).toEqual([...neighbours.get(id)!].sort());
      const samples = Array.from({ length: Math.min(n, 6) }, (_, i) => mix(3, i) % n);
      const hops = Math.max(...samples.map((from) => hopsFrom(graph, from)));
      expect(hops).toBeLessThanOrEqual(Math.ceil(Math.log(n) / Math.log(7)) + 2);
      // 2·√7 / 8 = 0.66 is what no large 8-regular graph falls below; a small one with double links has less to hold on to.
      expect(secondEigenvalue(graph)).toBeLessThan(n > 10 ? 0.7 : 0.9);
    },
    120_000,
  ); // two seconds of work, on a machine that may be doing much else

  test("a newcomer or a leaver touches at most its own eight places", () => {
    const plan = new MeshPlan("secret");
    for (let i = 0; i < 200; i++) plan.join(peer(i));
    for (let i = 200; i < 300; i++) {
      const joined = plan.join(peer(i));
      expect(joined.filter(({ linked }) => linked).length).toBe(plan.neighbours(peer(i)).length);
      expect(joined.length).toBeLessThanOrEqual(12); // 8 links made, 4 cut
      expect(plan.leave(peer(i)).length).toBe(joined.length);
    }
  });

  test("nine and fewer are all linked with each other", () => {
    const plan = new MeshPlan("secret");
    for (let i = 0; i < 9; i++) {
      plan.join(peer(i));
      expect(plan.neighbours(peer(0))).toHaveLength(i);
    }
    plan.join(peer(9));
    expect(plan.neighbours(peer(0)).length).toBeLessThan(9);
    plan.leave(peer(9));
    expect(plan.neighbours(peer(0))).toHaveLength(8);
  });

  test("a host that starts again gives the same neighbours, whoever comes first; another secret gives others", () => {
    const ids = Array.from({ length: 40 }, (_, i) => peer(i));
    const [one, again, other] = ["a", "a", "b"].map((seed) => new MeshPlan(seed));
    for (const id of ids) one.join(id);
    for (const id of [...ids].reverse()) {
      expect(again.neighbours(id)).toHaveLength(new Set(again.neighbours(id)).size);
      again.join(id);
      other.join(id);
    }
    for (const id of ids) expect(again.neighbours(id)).toEqual(one.neighbours(id));
    expect(ids.some((id) => `${other.neighbours(id)}` !== `${one.neighbours(id)}`)).toBe(true);
  });

  test("peers in order are neighbours of the next", () => {
    const plan = new MeshPlan("secret");
    const ids = Array.from({ length: 40 }, (_, i) => peer(i));
    for (const id of ids) plan.join(id);
    const ordered = plan.inOrder(ids);
    for (const [i, id] of ordered.slice(1).entries()) expect(plan.neighbours(id)).toContain(ordered[i]);
  });
});

test("[R54] ties are neighbours beside the plan, say what they change, and end with who leaves", () => {
  const plan = new MeshPlan("seed");
  const peers = Array.from({ length: 40 }, (_, i) => peer(i));
  for (const peer of peers) plan.join(peer);
  const [a] = peers;
  const [near] = plan.planned(a);
  const far = peers.filter((peer) => peer !== a && !plan.areNeighbours(a, peer)).slice(0, 2);
  const pairOf = (other: string): [string, string] => (a < other ? [a, other] : [other, a]);
  expect(plan.tie([near, ...far].map(pairOf))).toEqual(far.map((other) => ({ pair: pairOf(other), linked: true })));
  expect(plan.tie([near, ...far].map(pairOf))).toEqual([]);
  expect(far.every((other) => plan.areNeighbours(a, other) && plan.areNeighbours(other, a))).toBe(true);
  expect(plan.planned(a)).not.toContain(far[0]);
  expect(plan.leave(far[0])).toContainEqual({ pair: pairOf(far[0]), linked: false });
  expect(plan.tie([])).toEqual([{ pair: pairOf(far[1]), linked: false }]);
  expect(plan.neighbours(a)).toEqual(plan.planned(a));
});
