// Aggregates: the same bits for every member, fair weights inside and outside of a group.
import { describe, expect, test } from "vitest";
import { blobName, type EntryOf, type GroupContribution, type NamedCodecSpec } from "#wire";
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

  test.each<NamedCodecSpec>([
    { name: "f32" },
    { name: "f16" },
    { name: "dynamic8" },
    { name: "int4-block", rotated: true },
    { name: "e3m0", entropy: "rans", rounding: "stochastic" },
    { name: "rand-k", every: 4, feedback: 1 },
  ])("$name: whoever makes it makes the same bytes, about the mean of what its members decode to", (settings) => {
    const { blockSize: _, ...outer } = spec.outer;
    const other = { ...spec, version: 4 as const, outer: { ...outer, codec: settings } };
    const bound = codecOf(other).at(0);
    expect(bound.sums).toBe(true);
    const blobs = new Map<string, Uint8Array>();
    const decoded: Float32Array[] = [];
    const members = [1, 2].map((i) => {
      const bytes = encodeUpdate({ round: 0, baseHash, tokens: 100, delta: noise(i, length, 0.01), codec: bound });
      const update = readUpdate(bytes, { round: 0, baseHash, tokens: 100, codec: bound });
      if (typeof update === "string") throw new Error(update);
      decoded.push(new Float32Array(length));
      update.addTo(decoded[decoded.length - 1], 1, 0, length);
      blobs.set(blobName(bytes), bytes);
      return { peer: peer(i), update: blobName(bytes), tokens: 100 };
    });
    const made = (order: typeof members) =>
      aggregateUpdates(other, { round: 0, baseHash, members: order }, (hash) => blobs.get(hash))!;
    const { update } = made(members);
    expect(made([...members].reverse()).update).toEqual(update);
    const read = readUpdate(update, { round: 0, baseHash, tokens: 200, codec: bound });
    if (typeof read === "string") throw new Error(read);
    const values = new Float32Array(length);
    read.addTo(values, 1, 0, length);
    const squares = decoded[0].reduce((sum, value, i) => sum + ((value + decoded[1][i]) / 2) ** 2, 0);
    const error = values.reduce((sum, value, i) => sum + (value - (decoded[0][i] + decoded[1][i]) / 2) ** 2, 0);
    expect(error / squares).toBeLessThan(0.1);
  });

  test("what comes to more than can be encoded is no aggregate, for anybody", () => {
    const { blockSize: _, ...outer } = spec.outer;
    const other = {
      ...spec,
      version: 4 as const,
      outer: { ...outer, codec: { name: "int4-block", rotated: true } },
    } as const;
    const bound = codecOf(other).at(0);
    const bytes = encodeUpdate({ round: 0, baseHash, tokens: 100, delta: noise(1, length, 0.01), codec: bound });
    const view = new DataView(bytes.buffer);
    for (let scale = 56; scale < bytes.length - Math.ceil(length / 2); scale += 2) view.setUint16(scale, 0x7b00, true); // 6.6e35
    const members = [{ peer: peer(1), update: blobName(bytes), tokens: 100 }];
    expect(readUpdate(bytes, { round: 0, baseHash, tokens: 100, codec: bound })).not.toBeTypeOf("string");
    expect(aggregateUpdates(other, { round: 0, baseHash, members }, () => bytes)).toBeUndefined();
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
