// Aggregates: the same bits for every member, fair weights inside and outside of a group.
import { describe, expect, test } from "vitest";
import { blobName, type EntryOf, type GroupContribution } from "#wire";
import { aggregateUpdates } from "./aggregate.ts";
import { codecOf } from "./codec/index.ts";
import { combineWeights } from "./combine.ts";
import { foldCommit } from "./fold.ts";
import { anchorHashOf, genesisState } from "./state.ts";
import { noise, tinySpec } from "./test-given.ts";
import { encodeUpdate, readUpdate } from "./update.ts";

const spec = { ...tinySpec(), outer: { ...tinySpec().outer, clipToMedianNorm: false } };
const codec = codecOf(spec).at(0);
const base = genesisState(spec);
const { length } = base.parameters;
const baseHash = anchorHashOf(base);
const peer = (i: number) => `${"0".repeat(62)}${i.toString(16).padStart(2, "0")}00`;

function given(tokens: readonly number[], spoil = -1) {
  const blobs = new Map<string, Uint8Array>();
  const members = tokens.map((count, i) => {
    const bytes = encodeUpdate({
      round: 0,
      baseHash,
      tokens: count,
      delta: noise(i + 1, length, 0.01),
      codec,
    });
    if (i === spoil) new DataView(bytes.buffer).setFloat32(56, Number.NaN, true);
    const update = blobName(bytes);
    blobs.set(update, bytes);
    return { peer: peer(i), update, tokens: count, bytes: bytes.length };
  });
  return { members, blobs, blob: (hash: string) => blobs.get(hash) };
}

describe("[R27] the aggregate of a group", () => {
  test("is the weighted mean of its members, whatever their order", () => {
    const { members, blob } = given([100, 300]);
    const one = aggregateUpdates(spec, { round: 0, baseHash, members }, blob)!;
    const other = aggregateUpdates(spec, { round: 0, baseHash, members: [...members].reverse() }, blob)!;
    expect(one.update).toEqual(other.update);
    expect(one).toMatchObject({ tokens: 400, refused: [] });
    const mean = new Float32Array(length);
    for (const [i, weight] of [0.25, 0.75].entries()) {
      const update = readUpdate(blob(members[i].update)!, { round: 0, baseHash, codec, tokens: members[i].tokens });
      if (typeof update !== "string") update.addTo(mean, weight, 0, length);
    }
    expect(one.update).toEqual(encodeUpdate({ round: 0, baseHash, tokens: 400, delta: mean, codec }));
  });

  test("leaves out who does not decode, and says so; without any there is none", () => {
    const { members, blob } = given([100, 100, 100], 1);
    expect(aggregateUpdates(spec, { round: 0, baseHash, members }, blob)).toMatchObject({
      tokens: 200,
      refused: [members[1].peer],
    });
    expect(aggregateUpdates(spec, { round: 1, baseHash, members }, blob)).toBeUndefined();
  });

  test("counts nobody's claim above twice the median", () => {
    const { members, blob } = given([100, 100, 1_000]);
    expect(aggregateUpdates(spec, { round: 0, baseHash, members }, blob)!.tokens).toBe(400);
  });

  test("folds to nearly what its members fold to one by one", () => {
    const { members, blobs, blob } = given([100, 120, 140, 160]);
    const offers = members.map((member) => ({ ...member, round: 0, openSeq: 0, baseHash, steps: 20, loss: 1 }));
    const commit = { round: 0, baseHash, contributors: offers } as unknown as EntryOf<"commit">;
    const [single, grouped] = [genesisState(spec), genesisState(spec)];
    foldCommit(single, spec, commit, blob);
    const groups = [members.slice(0, 2), members.slice(2)].map((group): GroupContribution => {
      const { update, tokens } = aggregateUpdates(spec, { round: 0, baseHash, members: group }, blob)!;
      const name = blobName(update);
      blobs.set(name, update);
      const about = { peer: group[0].peer, bytes: update.length, loss: 1, members: 2, attesters: 2, refused: [] };
      return { ...about, update: name, tokens, manifest: name };
    });
    const result = foldCommit(grouped, spec, { ...commit, contributors: groups }, blob);
    expect(result.refused).toEqual([]);
    const worst = Math.max(...single.parameters.map((value, i) => Math.abs(value - grouped.parameters[i])));
    expect(worst).toBeGreaterThan(0); // it was encoded once more
    expect(worst).toBeLessThan(3e-4); // two int8 steps of 0.01 / 127, times the outer step
  });

  test("a group's cap grows with its members", () => {
    const rules = { assignmentTokens: 1_000, clipToMedianNorm: false };
    const weights = combineWeights(
      [
        { peer: "a", tokens: 100, norm: 1 },
        { peer: "b", tokens: 300, norm: 1, members: 3 },
        { peer: "c", tokens: 1_000, norm: 1 },
      ],
      rules,
    );
    expect([...weights.values()]).toEqual([100, 300, 200].map((tokens) => Math.fround(tokens / 600)));
  });
});
