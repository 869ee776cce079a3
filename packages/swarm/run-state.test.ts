import { describe, expect, test } from "vitest";
import type { EntryBody } from "#wire";
import { mix, RunState } from "./run-state.ts";
import {
  alice,
  bob,
  carol,
  commitBody,
  dave,
  genesisHash,
  givenSpec,
  hash,
  offerOf,
  openBody,
  run,
  sealBody,
  spec,
  TestLog,
} from "./test-given.ts";

function stateAfter(...bodies: readonly EntryBody[]): RunState {
  const log = new TestLog();
  const state = new RunState({ run, spec, genesisHash });
  for (const body of bodies) expect(state.apply(log.append(body))).toBeUndefined();
  return state;
}

test("a round: the anchor moves, tokens and the cursor are counted, everybody named is credited", () => {
  const state = stateAfter(openBody(), commitBody(), sealBody());
  expect(state).toMatchObject({ seq: 2, round: 1, anchorHash: hash("anchor 1"), tokens: 2_048, cursor: 2 * 8 * 2 });
  expect(state.contributions.get(alice)).toEqual({ tokens: 1_024, rounds: 1, refused: 0, refusedInRow: 0, loss: 3 });
  expect(state.open).toBeUndefined();
  expect(state.anchorAt(0)).toBe(genesisHash);
  expect(state.anchorAt(1)).toBe(hash("anchor 1"));
});

test("[R18] a refused contribution counts no tokens", () => {
  const state = stateAfter(openBody(), commitBody(), sealBody({ refused: [{ peer: bob, reason: "NaN" }] }));
  expect(state.tokens).toBe(1_024);
  expect(state.contributions.get(bob)).toEqual({ tokens: 0, rounds: 0, refused: 1, refusedInRow: 1, loss: 3 });
});

const island = { leader: alice, members: [alice, carol] };

test("[R55] an island's members share what its leader's update counts; what is refused is the leader's", () => {
  const opened = openBody({ islands: [island] });
  const state = stateAfter(opened, commitBody(), sealBody());
  expect(state.tokens).toBe(2_048);
  for (const peer of [alice, carol])
    expect(state.contributions.get(peer)).toEqual({ tokens: 512, rounds: 1, refused: 0, refusedInRow: 0, loss: 3 });
  const refused = stateAfter(opened, commitBody(), sealBody({ refused: [{ peer: alice, reason: "NaN" }] }));
  expect(refused.contributions.get(alice)).toMatchObject({ tokens: 0, refused: 1 });
  expect(refused.contributions.has(carol)).toBe(false);
});

test.each([
  ["its leader is in no roster", [{ leader: carol, members: [carol, dave] }], "is not in the roster"],
  ["a member trains alone, too", [{ leader: alice, members: [alice, bob] }], "a member of an island is in the roster"],
  ["another leads", [{ leader: alice, members: [carol, alice] }], "is not its first member"],
  ["in two of them", [island, { leader: bob, members: [bob, carol] }], "in two islands"],
  ["in no order", [{ leader: bob, members: [bob, dave] }, island], "not sorted"],
])("[R55] no open lists an island: %s", (_, islands, fault) => {
  expect(stateAfter().mayAppend(openBody({ islands }))).toContain(fault);
});

test("[R2] an open of the same round supersedes one without a commit", () => {
  const second = openBody({ roster: [carol], cursor: 32 });
  const state = stateAfter(openBody(), second);
  expect(state.open!.seq).toBe(1);
  expect(state.mayAppend(commitBody())).toContain("open 1 is current");
});

test("[R3] a void gives the round back", () => {
  const state = stateAfter(
    openBody(),
    commitBody(),
    { type: "void", round: 0, reason: "disk" },
    openBody({ cursor: 32 }),
  );
  expect(state).toMatchObject({ round: 0, tokens: 0, anchorHash: genesisHash });
});

describe("entries that may not follow", () => {
  const opened = [openBody()];
  const committed = [...opened, commitBody()];
  const sealed = [...committed, sealBody()];
  const next = openBody({ round: 1, baseHash: hash("anchor 1"), cursor: 32, tokensBefore: 2_048 });
  const one = (change: Partial<ReturnType<typeof offerOf>>) =>
    commitBody({ contributors: [{ ...offerOf(alice), ...change }] });
  test.each<[string, EntryBody[], EntryBody, string]>([
    ["[R2] a commit without an open", [], commitBody(), "no open"],
    ["[R2] an open while a commit waits", committed, openBody({ cursor: 32 }), "waits for its seal"],
    ["[R3] a seal without a commit", opened, sealBody(), "no commit"],
    ["[R3] a seal of another round", committed, sealBody({ round: 1 }), "no commit"],
    [
      "[R3] a seal that refuses a stranger",
      committed,
      sealBody({ refused: [{ peer: carol, reason: "x" }] }),
      "does not name",
    ],
    ["[R3] a void without a commit", opened, { type: "void", round: 0, reason: "x" }, "no commit"],
    ["an open of a later round", sealed, { ...next, round: 2 }, "round 1 is the next"],
    ["an open from another base", sealed, { ...next, baseHash: genesisHash }, "another base"],
    ["an open with another cursor", sealed, { ...next, cursor: 0 }, "cursor is at 32"],
    ["an open with other tokens", sealed, { ...next, tokensBefore: 1 }, "2048 tokens"],
    ["an open with an unsorted roster", [], openBody({ roster: [bob, alice] }), "not sorted"],
    ["an open with a peer twice", [], openBody({ roster: [alice, alice] }), "not sorted"],
    ["an open with a deadline out of bounds", [], openBody({ deadlineMs: 999 }), "deadline"],
    ["[R4] unsorted contributors", opened, commitBody({ contributors: [offerOf(bob), offerOf(alice)] }), "not sorted"],
    [
      "[R4] a contributor outside of the roster",
      opened,
      commitBody({ contributors: [offerOf(carol)] }),
      "not in the roster",
    ],
    ["[R4] a contribution to another open", opened, one({ openSeq: 5 }), "open 0 of round 0 is current"],
    ["[R4] a contribution from another base", opened, one({ baseHash: hash("other") }), "another anchor"],
    ["[R4] too few steps", opened, one({ steps: 1 }), "1 steps"],
    ["[R4] too many steps", opened, one({ steps: 9 }), "9 steps"],
    ["[R4] more tokens than the steps hold", opened, one({ steps: 4, tokens: 513 }), "513 tokens"],
    ["[R4] too many bytes", opened, one({ bytes: 10_000_000 }), "10000000 bytes"],
    [
      "an eval of no anchor",
      sealed,
      { type: "eval", round: 1, anchorHash: hash("x"), setHash: hash("s"), loss: 1, peer: alice },
      "no anchor",
    ],
    [
      "a checkpoint of no anchor",
      sealed,
      { type: "checkpoint", round: 1, anchorHash: hash("x"), blobs: [] },
      "no anchor",
    ],
    ["an end while a commit waits", committed, { type: "end", reason: "x" }, "waits for its seal"],
    ["anything after the end", [{ type: "end", reason: "x" }], openBody(), "has ended"],
  ])("%s", (_, before, body, fault) => {
    const state = stateAfter(...before);
    const seq = state.seq;
    expect(state.mayAppend(body)).toContain(fault);
    expect(state.seq).toBe(seq);
  });
});

test("an entry out of its place is refused, and nothing changes", () => {
  const log = new TestLog();
  log.append(openBody());
  const second = log.append(commitBody());
  const state = new RunState({ run, spec, genesisHash });
  expect(state.apply(second)).toContain("entry 0 belongs here");
  expect(state.seq).toBe(-1);
});

/** @param rounds sealed by alice alone */
function grown(
  rounds: number,
  change: Parameters<typeof givenSpec>[0] = {},
  after: (round: number) => EntryBody[] = () => [],
  rostersOf: (round: number) => Extract<EntryBody, { type: "open" }>["roster"][] = () => [[alice]],
): RunState {
  const log = new TestLog();
  const state = new RunState({ run, spec: givenSpec(change), genesisHash });
  for (let round = 0; round < rounds; round++) {
    const baseHash = state.anchorHash!;
    for (const roster of rostersOf(round)) {
      const open = openBody({ round, roster, baseHash, cursor: state.cursor, tokensBefore: state.tokens });
      expect(state.apply(log.append(open))).toBeUndefined();
    }
    const openSeq = state.seq;
    const contributors = [offerOf(alice, { round, openSeq, baseHash })];
    expect(state.apply(log.append(commitBody({ round, openSeq, baseHash, contributors })))).toBeUndefined();
    expect(
      state.apply(log.append(sealBody({ round, anchorHash: hash(`anchor ${round + 1}`), attesters: [alice] }))),
    ).toBeUndefined();
    for (const body of after(round + 1)) expect(state.apply(log.append(body))).toBeUndefined();
  }
  return state;
}

const checkpoint = (round: number): EntryBody => ({
  type: "checkpoint",
  round,
  anchorHash: hash(`anchor ${round}`),
  blobs: [{ name: "parameters", hash: hash(`checkpoint ${round}`), bytes: 1 }],
});

test("[R20] a checkpoint makes everything before the second newest one unneeded, once", () => {
  const state = grown(30, {}, (round) => (round % 10 === 0 ? [checkpoint(round)] : []));
  expect(state.unretained).toContain(hash("checkpoint 10"));
  expect(state.unretained.length).toBe(1 + 10); // and the ten updates of rounds 10 to 19
  expect([...state.sealedByRound.keys()][0]).toBe(14); // the last 16 anchors can still be evaluated
});

test("[R20] [R26] rosters go with their rounds, superseded ones with the next checkpoint, and one that is still named stays", () => {
  const rosters = new Map([
    [3, ["superseded", "steady"]],
    [4, ["once"]],
  ]);
  const after = (rounds: number) =>
    grown(
      rounds,
      {},
      (round) => (round % 10 === 0 ? [checkpoint(round)] : []),
      (round) => (rosters.get(round) ?? ["steady"]).map((name) => ({ size: 40, blob: hash(name) })),
    ).unretained;
  const all = [...[...rosters.values()].flat(), "steady"].map(hash);
  const gone = (rounds: number) => all.filter((blob) => after(rounds).includes(blob));
  expect(gone(10)).toEqual([hash("superseded")]);
  expect(gone(20)).toEqual([hash("once")]);
  expect(gone(30)).toEqual([]);
});

test("[R21] one attester is named every so many rounds, and another after the second next when no eval came", () => {
  const change = { evaluation: { everyRounds: 5, windows: 8 } };
  const due = (state: RunState) =>
    [...state.sealedByRound].filter(([, s]) => s.evaluators.length > 0).map(([round]) => round + 1);
  expect(due(grown(9, change))).toEqual([5, 7, 8, 9]);
  const evaluated = grown(12, change, (round) =>
    round === 5 || round === 10
      ? [{ type: "eval", round, anchorHash: hash(`anchor ${round}`), setHash: hash("set"), loss: 2, peer: alice }]
      : [],
  );
  expect(due(evaluated)).toEqual([5, 10]);
  expect(evaluated.evals.map(({ round }) => round)).toEqual([5, 10]);
});

test("[R22] a run that has reached its goal opens no further round", () => {
  const state = grown(3, { end: { roundsMax: 3 } });
  expect(state.endReached).toContain("3 rounds");
  expect(state.mayAppend(openBody({ round: 3, baseHash: hash("anchor 3") }))).toContain("goal");
  expect(grown(2, { end: { tokensMax: 2_048 } }).endReached).toContain("2048 tokens");
});

test("choices by seed and round spread over the roster", () => {
  const counts = [0, 0, 0, 0];
  for (let round = 0; round < 4_000; round++) counts[mix(1, round) % 4] += 1;
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
});
