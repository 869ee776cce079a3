// [R54] Who makes an island with whom.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Capacity, type IslandPlan, type ModelShape, type PeerId, peerIdOf, presets, RANKS_MAX } from "#wire";
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
  readonly windowsPerStep?: number;
  readonly capacities?: Readonly<Record<string, Capacity>>;
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
  windowsPerStep = 8,
  capacities = {},
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
    capacity: capacities[letter],
    soughtMs: letter === fresh ? soughtMs : GATHER_FAR_MS,
  });
  const restsNow = (members: readonly PeerId[]): boolean => members.map(letterOf).join("") === rests;
  return formIslands({
    ...{ seekers: seekers.split(" ").map(seekerOf), lineOf, room, rests: restsNow },
    ...{ model: own, windowsPerStep },
  });
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

test("a pipeline's stages have equal numbers of layers, the first ones one more; long contexts and ladders have none", () => {
  const lines = "ab:80 ac:80 ad:80 bc:80 bd:80 cd:80";
  const far = (seekers: string, contextLength: number, residual?: "ladder") =>
    islandsOf(formed({ seekers, lines, model: { ...model, layers: 6, contextLength, residual } }));
  expect(far("a2 b2", 64)).toEqual(["ab layers 3,3"]);
  expect(far("a4 b4 c4 d4", 64)).toEqual(["abcd layers 2,2,1,1"]);
  expect(far("a2 b2", 2048)).toEqual([]);
  expect(far("a2 b2", 64, "ladder")).toEqual([]);
});

/** Says what it holds: so many layers at any place, a part of cut matrices among two unless it says otherwise. */
const holds = (layers: number, flopsPerSecond?: number, tensorRanksMin: number | null = 2): Capacity => ({
  ...{ tensorRanksMin, stageLayersMax: [2, 3, 4].map((ranks) => Array(ranks).fill(layers)) },
  ...(flopsPerSecond && { flopsPerSecond }),
});

describe("who says what it holds and how fast it is", () => {
  /** 1.1 billion parameters, as TinyLlama: the head is one and a half layers. */
  const large: ModelShape = {
    ...model,
    dModel: 2048,
    heads: 32,
    kvHeads: 4,
    dFfn: 5632,
    layers: 22,
    vocabSize: 32_000,
  };
  const near = "ab:2";
  const fast = { a: 125e6, b: 125e6, c: 125e6 };
  const of = (change: Partial<Given>) => formed({ seekers: "a2 b2", lines: near, model: large, ...change });

  test("a phone takes two layers and a workstation twenty, wherever either is in the order of ids", () => {
    const [phone, workstation] = [holds(2, 3e11, null), holds(22, 3e12)];
    const among = (capacities: Record<string, Capacity>, lines = near) =>
      islandsOf(of({ capacities, lines, up: fast }));
    expect(among({ a: phone, b: workstation })).toEqual(["ab layers 2,20"]);
    expect(among({ a: workstation, b: phone })).toEqual(["ba layers 2,20"]); // the head goes to who is fast
    expect(among({ a: phone, b: workstation }, "ab:80")).toEqual(["ab layers 2,20"]);
    expect(among({ a: holds(1, 3e11, null), b: workstation })).toEqual(["ab layers 1,21"]);
  });

  test("what they hold together is less than the model: none, until another one comes", () => {
    const small = { capacities: { a: holds(8, 1e12, null), b: holds(13, 1e12, null) } };
    expect(waitsOf(of(small))).toEqual(["a too-small 0", "b too-small 0"]);
    const three = { ...small, seekers: "a2 b2 c2", lines: "ab:2 bc:2 ac:2" };
    const with3 = { ...three, capacities: { ...small.capacities, c: holds(1, 1e11, null) } };
    expect(of(with3).islands[0].plan).toMatchObject({ kind: "pipeline" });
    expect(waitsOf(of({ ...with3, fresh: "c" }))[0]).toBe("a measuring 0");
    const mixed = of({ capacities: { a: holds(8, 1e12, null) }, lines: "ab:80" }); // of b nothing is known
    expect(islandsOf(mixed)).toEqual(["ab layers 8,14"]);
    expect(waitsOf(of({ capacities: { a: holds(0, 1e12, null) } }))).toEqual(["a too-small 0", "b too-few 1"]);
  });

  test("on a good line the plan whose step is shorter: stages where sums cost more than they share", () => {
    const capacities = { a: holds(22, 5e12), b: holds(22, 5e12) };
    const slow = of({ capacities, up: { a: 12.5e6, b: 12.5e6 } });
    expect(islandsOf(slow)).toEqual(["ab layers 12,10"]);
    const cable = of({
      capacities: { a: holds(22, 1e12), b: holds(22, 1e12) },
      up: { a: 1e10, b: 1e10 },
      lines: "ab:0",
      windowsPerStep: 2,
    });
    expect(islandsOf(cable)).toEqual(["ab direct"]);
    for (const { islands } of [slow, cable]) expect(islands[0].stepMs).toBeGreaterThan(0);
  });

  test("without all speeds links alone decide, as for those who say nothing", () => {
    for (const capacities of [{}, { a: holds(22, 5e12) }, { a: holds(22, 5e12), b: holds(22) }]) {
      const { islands } = of({ capacities, up: { a: 12.5e6, b: 12.5e6 } });
      expect(islands).toEqual([
        { members: [key("a"), key("b")], plan: { kind: "tensor", exchange: "int8", form: "direct" } },
      ]);
    }
    expect(islandsOf(of({ capacities: { a: holds(3), b: holds(22) }, lines: "ab:80" }))).toEqual(["ab layers 3,19"]);
  });

  test("stages on good lines begin as soon as cut matrices would, on slow ones when somebody nearer had time to come", () => {
    const capacities = { a: holds(11, 1e12, null), b: holds(11, 1e12, null) };
    const come = (lines: string, soughtMs: number) => islandsOf(of({ capacities, lines, fresh: "b", soughtMs })).length;
    expect([come(near, GATHER_MS), come("ab:80", GATHER_MS), come("ab:80", GATHER_FAR_MS)]).toEqual([1, 0, 1]);
  });

  test("of sets of one size the one whose step is shorter comes first", () => {
    const capacities = { a: holds(22, 1e12), b: holds(22, 1e12), c: holds(22, 4e12) };
    const formation = of({ seekers: "a2 b2 c2", lines: "ab:1 bc:6 ac:5", up: fast, capacities });
    expect(formation.islands.map(({ members }) => members.map(letterOf).sort().join(""))).toEqual(["ac"]);
  });
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
      const given = { seekers, lineOf, model, windowsPerStep: 8, room: 8, rests: () => false };
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
