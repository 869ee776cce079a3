import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { offersIn, type RunSpec } from "#wire";
import {
  aggregateUpdates,
  applyCommit,
  codecOf,
  type Decoded,
  fragmentsOf,
  gather,
  genesisState,
  mergeOf,
  parameterTable,
  Replica,
  readUpdate,
  scatter,
} from "./index.ts";
import { BASE_HASH, commitOf, noise, peerOf, tinySpec } from "./test-given.ts";

const plain = tinySpec();
const { blockSize: _, ...outer } = plain.outer;

/** Updates that lose nothing, and an outer step that is the mean: whole numbers stay whole. */
const exact = (fragments: number | undefined, change: Partial<RunSpec["outer"]> = {}, layers = 3): RunSpec => ({
  ...plain,
  version: 4,
  model: { ...plain.model, layers },
  outer: {
    ...{ ...outer, codec: { name: "f32" }, learningRate: 1, momentum: 0, clipToMedianNorm: false },
    ...{ ...(fragments !== undefined && { fragments }), ...change },
  },
});

describe("a partition of the model", () => {
  test.each([
    [1, 2],
    [3, 2],
    [3, 3],
    [3, 4],
    [12, 5],
  ])("%d layers in %d fragments: every parameter in one of them, layer l in l mod F", (layers, count) => {
    const spec = exact(count, {}, layers);
    const { length } = parameterTable(spec.model);
    const at = fragmentsOf(spec);
    const times = new Uint8Array(length);
    for (let p = 0; p < count; p++) {
      const { table, ranges } = at(p);
      for (const { start, end } of ranges) for (let i = start; i < end; i++) times[i]++;
      expect(table.length).toBe(ranges.reduce((sum, { start, end }) => sum + end - start, 0));
      for (const { name } of table.tensors) {
        const layer = /layers\.(\d+)\./.exec(name)?.[1];
        if (layer !== undefined) expect(Number(layer) % count).toBe(p);
      }
      expect(at(p + 7 * count)).toBe(at(p));
    }
    expect(times.every((n) => n === 1)).toBe(true);
  });

  test("embedding, final norm and head join the smallest; with one fragment more than layers they are alone", () => {
    const holder = (count: number) => {
      const at = fragmentsOf(exact(count));
      return Array.from({ length: count }, (_, p) =>
        at(p).table.tensors.some(({ name }) => name.endsWith("embed_tokens.weight")),
      ).indexOf(true);
    };
    expect(holder(2)).toBe(1); // layers 0 and 2 | layer 1
    expect(holder(3)).toBe(0);
    expect(holder(4)).toBe(3);
    expect(fragmentsOf(exact(4))(3).table.tensors.map(({ name }) => name)).toEqual([
      "model.embed_tokens.weight",
      "model.norm.weight",
    ]);
  });

  test("what is gathered and scattered again is what it was, and nothing else moves", () => {
    const spec = exact(2);
    const { length } = parameterTable(spec.model);
    const flat = noise(1, length);
    const fragment = fragmentsOf(spec)(1);
    const part = gather(flat, fragment);
    const other = new Float32Array(length);
    scatter(part, other, fragment);
    expect(gather(other, fragment)).toEqual(part);
    expect(gather(other, fragmentsOf(spec)(0)).every((x) => x === 0)).toBe(true);
    for (const { name, offset, length: n } of fragment.table.tensors) {
      const place = parameterTable(spec.model).tensors.find((tensor) => tensor.name === name)!;
      expect(part.subarray(offset, offset + n)).toEqual(flat.subarray(place.offset, place.offset + n));
    }
  });
});

test("a round's codec is its fragment's: its length, its limits, and an update of another fragment has weight 0", () => {
  for (const codec of [{ name: "f32" }, { name: "chunk-top-k", chunk: 1024, k: 64, feedback: 0.9 }] as const) {
    const spec = exact(2, { codec });
    const run = codecOf(spec);
    const bodies = [0, 1].map((round) => {
      const { length } = fragmentsOf(spec)(round).table;
      expect(run.at(round).length).toBe(length);
      return run.at(round).encode(noise(round, length)).length;
    });
    expect(run.bodyBytesMax).toBeGreaterThanOrEqual(Math.max(...bodies));
    expect(run.bodyBytesMax).toBeLessThan(codecOf(exact(undefined, { codec })).bodyBytesMax);
    expect(run.onDevice).toBeUndefined();
  }
  const spec = exact(2);
  const of = (round: number) => noise(1, fragmentsOf(spec)(round).table.length);
  const state = genesisState(spec);
  const { commit, blob } = commitOf(2, [{ peer: peerOf(1), tokens: 64, delta: of(2) }], () => {}, spec);
  expect(
    applyCommit(
      state,
      spec,
      { ...commit, round: 3, contributors: [{ ...commit.contributors[0], round: 3 }] as never },
      blob,
    ),
  ).toMatchObject([{ reason: "made for round 2, not 3" }]);
  expect(applyCommit(state, spec, commit, blob)).toEqual([]);
});

test("a group's aggregate is of the round's fragment, and the mean of its members", () => {
  const spec = exact(2);
  const codec = codecOf(spec).at(1);
  const deltas = [1, 2].map((n) => noise(n, codec.length).map((x) => 2 * Math.round(100 * x)));
  const { commit, blob } = commitOf(
    1,
    deltas.map((delta, n) => ({ peer: peerOf(n + 1), tokens: 64, delta })),
    () => {},
    spec,
  );
  const members = offersIn(commit);
  const made = aggregateUpdates(spec, { round: 1, baseHash: BASE_HASH, members }, blob)!;
  const read = readUpdate(made.update, { round: 1, baseHash: BASE_HASH, tokens: made.tokens, codec }) as Decoded;
  const mean = new Float32Array(codec.length);
  read.addTo(mean, 1, 0, codec.length);
  expect(mean).toEqual(deltas[0].map((x, i) => (x + deltas[1][i]) / 2));
});

test("F rounds of F fragments move the anchor as one whole round, where nothing is trained in between", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 1, max: 1000 }), (count, seed) => {
      const [whole, streamed] = [exact(undefined), exact(count)];
      const anchorOf = (spec: RunSpec, rounds: number) => {
        const state = genesisState(spec);
        state.parameters.set(noise(seed, state.parameters.length).map((x) => Math.round(100 * x)));
        const replica = new Replica(state.parameters, undefined, fragmentsOf(spec));
        const local = noise(seed + 1, state.parameters.length).map((x) => Math.round(100 * x));
        const merge = mergeOf(spec);
        for (let round = 0; round < rounds; round++) {
          const delta = replica.toEncode(local, round);
          replica.offered(local, round);
          const { commit, blob } = commitOf(round, [{ peer: peerOf(1), tokens: 64, delta }], () => {}, spec);
          applyCommit(state, spec, commit, blob);
          const from = replica.sealed(state.parameters, true, undefined, round);
          merge(local, { round, anchor: state.parameters, from, named: true });
        }
        expect(local).toEqual(state.parameters);
        return state.parameters;
      };
      expect(anchorOf(streamed, count)).toEqual(anchorOf(whole, 1));
    }),
    { numRuns: 10 },
  );
});

/**
 * Two peers on two fragments, with overlap: each takes a step, offers, takes a step beside the exchange, then the fold comes. Peer k's step takes 2k from every
 * parameter.
 * @returns after each round, of each fragment: the anchor and both peers' parameters, less where they began
 */
function trajectory(change: Partial<RunSpec["outer"]>, missed = -1): number[][] {
  const spec = exact(2, change);
  const state = genesisState(spec);
  state.parameters.fill(1000);
  const { length } = state.parameters;
  const fragmentAt = fragmentsOf(spec);
  const merge = mergeOf(spec);
  const peers = [1, 2].map((k) => ({
    k,
    replica: new Replica(state.parameters, undefined, fragmentAt),
    local: new Float32Array(length).fill(1000),
  }));
  const rounds: number[][] = [];
  for (let round = 0; round < 4; round++) {
    const given = peers.map(({ k, replica, local }) => {
      for (let i = 0; i < length; i++) local[i] -= 2 * k;
      const delta = replica.toEncode(local, round);
      replica.offered(local, round);
      for (let i = 0; i < length; i++) local[i] -= 2 * k;
      return { peer: peerOf(k), tokens: 64, delta };
    });
    const named = given.filter((_, n) => !(n === 0 && round === missed));
    const { commit, blob } = commitOf(round, named, () => {}, spec);
    expect(applyCommit(state, spec, commit, blob)).toEqual([]);
    for (const [n, { replica, local }] of peers.entries()) {
      const counts = named.includes(given[n]);
      const from = replica.sealed(state.parameters, counts, undefined, round);
      merge(local, { round, anchor: state.parameters, from, named: counts });
    }
    const first = (flat: Float32Array) => [0, 1].map((p) => gather(flat, fragmentAt(p))[0] - 1000);
    rounds.push([first(state.parameters), ...peers.map(({ local }) => first(local))].flat());
  }
  return rounds;
}

describe("[R51] golden trajectories: anchor, peer 1, peer 2, each of fragment 0 and 1", () => {
  test("the mark rule: the others of a fragment arrive in its round, what was trained since the offer stays", () => {
    expect(trajectory({})).toEqual([
      [-3, 0, -5, -4, -7, -8],
      [-3, -9, -9, -11, -15, -13],
      [-15, -9, -17, -15, -19, -21],
      [-15, -21, -21, -23, -27, -25],
    ]);
  });

  test("Streaming DiLoCo's mixing: half of each", () => {
    expect(trajectory({ merge: { keepLocal: 0.5 } })[0]).toEqual([-3, 0, -3.5, -4, -5.5, -8]);
  });

  test("an offer that is not named carries to the fragment's next turn, mixing or not", () => {
    const [first, , third] = trajectory({}, 0);
    expect(first).toEqual([-4, 0, -8, -4, -8, -8]); // peer 1: anchor' and all four that it trained
    expect(trajectory({ merge: { keepLocal: 0.5 } }, 0)[0].slice(0, 4)).toEqual([-4, 0, -8, -4]);
    // In round 2 peer 1 offers what was left of round 0 and all since, 4 + 4 + 2, and peer 2 what it trained since its offer, 4 + 8 + 4.
    expect(third[0]).toBe(-4 - (10 + 16) / 2);
  });
});

test("[R51] no work of any fragment is lost or counted twice, whatever is offered, named or withdrawn", () => {
  const spec = exact(3);
  const fragmentAt = fragmentsOf(spec);
  const { length } = parameterTable(spec.model);
  const merge = mergeOf(spec);
  let carried = 0;
  const event = fc.record({
    train: fc.integer({ min: -99, max: 99 }),
    offers: fc.boolean(),
    late: fc.integer({ min: -9, max: 9 }),
    named: fc.boolean(),
    voided: fc.boolean(),
    others: fc.integer({ min: -9, max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), (events) => {
      const anchor = new Float32Array(length).fill(100);
      const local = anchor.slice();
      const replica = new Replica(anchor, undefined, fragmentAt);
      const [applied, others] = [
        [0, 0, 0],
        [0, 0, 0],
      ];
      let trained = 0;
      const train = (by: number) => {
        for (let i = 0; i < length; i++) local[i] -= by;
        trained += by;
      };
      for (const [round, e] of events.entries()) {
        const fragment = fragmentAt(round);
        train(e.train);
        let own = 0;
        if (e.offers && e.voided) {
          replica.offered(local, round);
          replica.withdrawn();
        }
        if (e.offers) {
          own = replica.toEncode(local, round)[0];
          replica.offered(local, round);
        }
        train(e.late);
        const named = e.offers && e.named;
        if (e.offers && !named) carried++;
        const next = gather(anchor, fragment).map((x) => x - (named ? own : 0) - e.others);
        scatter(next, anchor, fragment);
        merge(local, { round, anchor, named, from: replica.sealed(anchor, named, undefined, round) });
        applied[round % 3] += named ? own : 0;
        others[round % 3] += e.others;
        expect(replica.mark).toEqual(anchor);
        for (let p = 0; p < 3; p++) {
          expect(applied[p] + replica.pseudoGradient(local, p)[0]).toBe(trained);
          expect(gather(local, fragmentAt(p))[0]).toBe(100 - trained - others[p]);
        }
      }
    }),
    { numRuns: 40 },
  );
  expect(carried).toBeGreaterThan(20);
});
