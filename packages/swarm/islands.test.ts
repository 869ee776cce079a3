// [R54] Who makes an island with whom.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allReduceMs, type IslandPlan, type ModelShape, type PeerId, peerIdOf, presets, RANKS_MAX } from "#wire";
import { ALL_REDUCE_MAX_MS, HOP_MAX_MS, RTT_MAX_MS } from "./island-plan.ts";
import { type Formation, formIslands, GATHER_FAR_MS, GATHER_MS, type Seeker } from "./islands.ts";

const { model } = presets.nano;
const key = (letter: string): PeerId => peerIdOf(letter.repeat(64), 0);
const letterOf = (peer: PeerId): string => peer[0];

interface Given {
  /** "a2 b2": a fits among two, and so does b. */
  readonly seekers: string;
  /** "ab:5": 5 ms there and back. */
  readonly lines: string;
  readonly up?: Readonly<Record<string, number>>;
  readonly room?: number;
  readonly rests?: string;
  /** Has just come. */
  readonly fresh?: string;
  readonly soughtMs?: number;
  readonly model?: ModelShape;
}

function formed({
  seekers,
  lines,
  up = {},
  room = RANKS_MAX,
  rests = "",
  fresh,
  soughtMs = 0,
  model: own = model,
}: Given): Formation {
  const rttByPair = new Map(
    lines
      .split(" ")
      .filter((line) => line !== "")
      .flatMap((line) => {
        const [[a, b], rttMs] = [line.split(":")[0], Number(line.split(":")[1])];
        return [
          [key(a) + key(b), rttMs],
          [key(b) + key(a), rttMs],
        ] as [string, number][];
      }),
  );
  const lineOf = (a: PeerId, b: PeerId) => {
    const rttMs = rttByPair.get(a + b);
    return rttMs === undefined ? undefined : { rttMs };
  };
  const seekerOf = ([letter, ranksMin]: string): Seeker => ({
    peer: key(letter),
    ranksMin: Number(ranksMin),
    bytesPerSecond: up[letter],
    soughtMs: letter === fresh ? soughtMs : GATHER_FAR_MS,
  });
  const restsNow = (members: readonly PeerId[]): boolean => members.map(letterOf).join("") === rests;
  return formIslands({ seekers: seekers.split(" ").map(seekerOf), lineOf, model: own, room, rests: restsNow });
}

const islandsOf = (formation: Formation): string[] =>
  formation.islands.map(({ members, plan }) => `${members.map(letterOf).join("")} ${sharing(plan)}`);
const sharing = (plan: IslandPlan): string =>
  plan.kind === "tensor" ? plan.form : plan.kind === "pipeline" ? `layers ${plan.layers}` : plan.kind;
const waitsOf = ({ waits }: Formation): string[] =>
  [...waits].map(([peer, { missing, because }]) => `${letterOf(peer)} ${because} ${missing}`);

const square = "ab:5 ac:5 ad:5 bc:5 bd:5 cd:5";
describe.each<[string, Given, string[], string[]]>([
  ["nobody", { seekers: "a2", lines: "" }, [], ["a too-few 1"]],
  ["two who are linked", { seekers: "b2 a2", lines: "ab:5" }, ["ab direct"], []],
  ["the third is left", { seekers: "a2 b2 c2", lines: "ab:5 bc:3 ac:9" }, ["bc direct"], ["a too-few 1"]],
  ["no more members than fit", { seekers: "a2 b2 c2 d2", lines: square }, ["ab direct", "cd direct"], []],
  ["one needs three", { seekers: "a3 b2 c2", lines: square }, ["bc direct"], ["a too-few 2"]],
  ["all need three", { seekers: "a3 b3 c2", lines: square }, ["abc direct"], []],
  ["all need four", { seekers: "a4 b4 c4 d4", lines: square }, ["abcd direct"], []],
  ["no link", { seekers: "a2 b2", lines: "" }, [], ["a unlinked 1", "b unlinked 1"]],
  [
    "a link of three is missing",
    { seekers: "a3 b3 c3", lines: "ab:5 bc:5" },
    [],
    ["a unlinked 1", "b unlinked 0", "c unlinked 1"],
  ],
  ["a layer each, from afar", { seekers: "a2 b2", lines: `ab:${RTT_MAX_MS + 1}` }, ["ab layers 1,1"], []],
  ["near ones are better", { seekers: "a2 b2 c2", lines: "ab:40 ac:80 bc:20" }, ["bc direct"], ["a too-few 1"]],
  [
    "more members than layers",
    { seekers: "a3 b3 c3", lines: "ab:40 ac:5 bc:5" },
    [],
    ["a slow 1", "b slow 1", "c slow 1"],
  ],
  ["too far", { seekers: "a2 b2", lines: `ab:${2 * HOP_MAX_MS + 1}` }, [], ["a slow 1", "b slow 1"]],
  ["a line of 2 kB/s", { seekers: "a2 b2", lines: "ab:5", up: { a: 2e3 } }, [], ["a slow 1", "b slow 1"]],
  [
    "too slow for sums",
    { seekers: "a2 b2", lines: "ab:5", up: { a: 4352 / (ALL_REDUCE_MAX_MS / 1000) } },
    ["ab layers 1,1"],
    [],
  ],
  ["just near enough", { seekers: "a2 b2", lines: `ab:${RTT_MAX_MS}` }, ["ab direct"], []],
  ["it fell apart just now", { seekers: "a2 b2", lines: "ab:5", rests: "ab" }, [], ["a resting 0", "b resting 0"]],
  ["one has just come", { seekers: "a2 b2", lines: "ab:5", fresh: "b" }, [], ["a measuring 0", "b measuring 0"]],
  ["a little later", { seekers: "a2 b2", lines: "ab:5", fresh: "b", soughtMs: GATHER_MS }, ["ab direct"], []],
  [
    "from afar it takes longer",
    { seekers: "a2 b2", lines: "ab:50", fresh: "b", soughtMs: GATHER_FAR_MS - 1 },
    [],
    ["a measuring 0", "b measuring 0"],
  ],
  ["another set instead", { seekers: "a2 b2 c2", lines: "ab:5 bc:6", rests: "ab" }, ["bc direct"], ["a too-few 1"]],
  ["no more islands", { seekers: "a2 b2", lines: "ab:5", room: 0 }, [], ["a full 0", "b full 0"]],
  [
    "a slow line: fewer bytes",
    { seekers: "a3 b3 c3", lines: square, up: { a: 1e5, b: 1e5, c: 1e5 } },
    ["abc reduce-scatter"],
    [],
  ],
  ["two: nothing is fewer", { seekers: "a2 b2", lines: "ab:5", up: { a: 1e5, b: 1e5 } }, ["ab direct"], []],
  [
    "one fast line: it is the hub",
    { seekers: "a3 b3 c3", lines: square, up: { a: 1e5, b: 1e5, c: 1e8 } },
    ["cab star"],
    [],
  ],
])("%s", (_, given, islands, waits) => {
  test("who is in one, who waits and why", () => {
    const formation = formed(given);
    expect(islandsOf(formation)).toEqual(islands);
    expect(waitsOf(formation)).toEqual(waits);
  });
});

test("long contexts are shared by positions, among as many as can have equal parts of them", () => {
  const far = { ...model, contextLength: 1024 };
  const among = (seekers: string, context = far) =>
    formed({ seekers, lines: square, model: context }).islands.map(({ members, plan }) => [members.length, plan.kind]);
  expect(among("a2 b2")).toEqual([[2, "sequence"]]);
  expect(among("a3 b3 c3 d3")).toEqual([[4, "sequence"]]);
  expect(among("a3 b3 c3", { ...model, contextLength: 1020 })).toEqual([[3, "sequence"]]);
  expect(waitsOf(formed({ seekers: "a3 b3 c3", lines: square, model: far }))[0]).toBe("a too-few 1");
  expect(among("a3 b3 c3", model)).toEqual([[3, "tensor"]]);
});

test("a pipeline's stages have equal numbers of layers, the first ones one more; long contexts have none", () => {
  const far = (seekers: string, contextLength: number) =>
    islandsOf(
      formed({ seekers, lines: "ab:80 ac:80 ad:80 bc:80 bd:80 cd:80", model: { ...model, layers: 6, contextLength } }),
    );
  expect(far("a2 b2", 64)).toEqual(["ab layers 3,3"]);
  expect(far("a4 b4 c4 d4", 64)).toEqual(["abcd layers 2,2,1,1"]);
  expect(far("a2 b2", 2048)).toEqual([]);
});

test("predicted times of an all-reduce: one latency and all of the bytes, or two and fewer", () => {
  const lan = { ranks: 4, latencyMs: 1, bytesPerSecond: 10e6, hubBytesPerSecond: 100e6, bytes: 100_000 };
  expect(allReduceMs(lan)).toEqual({ direct: 1 + 30, "reduce-scatter": 2 + 15, star: 2 + 10 + 3 });
});

const anySwarm = fc.record({
  seekers: fc.uniqueArray(fc.constantFrom(..."0123456789abcdef"), { minLength: 1 }),
  ranksMin: fc.array(fc.integer({ min: 2, max: RANKS_MAX }), { minLength: 16, maxLength: 16 }),
  rtts: fc.array(fc.option(fc.integer({ min: 0, max: 2 * RTT_MAX_MS }), { nil: undefined }), {
    minLength: 256,
    maxLength: 256,
  }),
});

test("any seekers and lines: nobody twice, everybody linked, each with enough, the same again in another order", () => {
  fc.assert(
    fc.property(anySwarm, ({ seekers: letters, ranksMin, rtts }) => {
      const at = (peer: PeerId): number => Number.parseInt(peer[0], 16);
      const seekers = letters.map((letter) => ({
        peer: key(letter),
        ranksMin: ranksMin[at(key(letter))],
        bytesPerSecond: undefined,
        soughtMs: GATHER_FAR_MS,
      }));
      const lineOf = (a: PeerId, b: PeerId) => {
        const rttMs = rtts[16 * Math.min(at(a), at(b)) + Math.max(at(a), at(b))];
        return rttMs === undefined ? undefined : { rttMs };
      };
      const given = { seekers, lineOf, model, room: 8, rests: () => false };
      const { islands, waits } = formIslands(given);
      const placed = [...islands.flatMap(({ members }) => members), ...waits.keys()];
      expect(placed.sort()).toEqual(seekers.map(({ peer }) => peer).sort());
      for (const { members } of islands)
        for (const a of members) {
          expect(members.length).toBeGreaterThanOrEqual(ranksMin[at(a)]);
          for (const b of members) if (a !== b) expect(lineOf(a, b)).toBeDefined();
        }
      expect(formIslands({ ...given, seekers: [...seekers].reverse() }).islands).toEqual(islands);
    }),
    { numRuns: 50 },
  );
});
