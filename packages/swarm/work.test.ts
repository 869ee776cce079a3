// What a peer trains and when: beside the exchange with overlap, without the host, and where work carries.
import { describe, expect, test } from "vitest";
import type { EntryBody } from "#wire";
import type { PeerInput } from "./ports.ts";
import {
  alice,
  bob,
  carol,
  commitBody,
  GivenPeer,
  genesisHash,
  givenSpec,
  hash,
  offerOf,
  openBody,
  sealBody,
  types,
} from "./test-given.ts";

const H = 8;
const WINDOWS = 2 * 2 * H; //           that two peers read in a round, two a step
const TOKENS = 128; //                  of one peer's step
const blocking = givenSpec();
const overlapping = givenSpec({ version: 2, rounds: { ...blocking.rounds, overlap: true } });

const trained = (job: number, steps: number): PeerInput => ({
  type: "trained",
  ...{ job, steps, tokens: steps * TOKENS, loss: 3 },
});
const progress = (job: number, step: number): PeerInput => ({
  type: "progress",
  ...{ job, round: 0, step, loss: 3, tokensPerSecond: 1, stepMs: 50 },
});
const encoded = (round: number): PeerInput => ({ type: "encoded", round, update: hash(`u${round}`), bytes: 1_000 });

/** Alice has made her update of round 0, and the host has it. */
function afterTheOffer(spec = overlapping): GivenPeer {
  const given = new GivenPeer([], spec).atGenesis();
  given.entry(openBody());
  given.acts(trained(0, H));
  given.acts(encoded(0));
  expect(given.acts({ type: "uploaded", hash: hash("u0") })).toMatchObject([{ type: "offer", offer: { steps: H } }]);
  return given;
}

const commit = (change: Partial<EntryBody & { type: "commit" }> = {}): EntryBody =>
  commitBody({ contributors: [offerOf(alice, { update: hash("u0") })], ...change });
const seal: EntryBody = sealBody({ attesters: [alice, bob] });
const nextOpen = (change: Partial<EntryBody & { type: "open" }> = {}): EntryBody =>
  openBody({ round: 1, baseHash: hash("anchor 1"), cursor: WINDOWS, tokensBefore: H * TOKENS, ...change });

describe("[R30] overlap", () => {
  test("training goes on with the offer, where the round's assignment ends", () => {
    const given = new GivenPeer([], overlapping).atGenesis();
    given.entry(openBody({ tokensBefore: 0 }));
    const [encode, train] = given.acts(trained(0, H));
    expect(encode.type).toBe("encode");
    const place = { cursor: WINDOWS, rosterSize: 2, position: 0, tokensBefore: 2 * H * TOKENS };
    expect(train).toMatchObject({ type: "train", job: 1, firstStep: 0, until: H, assignment: { round: 1, ...place } });
  });

  test("commit, fold, seal and an open that is what was expected leave training alone; its steps count for the next offer", () => {
    const given = afterTheOffer();
    given.acts(progress(1, 3));
    const outputs = [
      ...given.entry(commit()),
      ...given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] }),
      ...given.entry(seal),
      ...given.entry(nextOpen()),
    ];
    expect(types(outputs)).toEqual(["fold", "send", "send"]); // attest, ready
    const after = given.acts(trained(1, H));
    expect(after[0]).toMatchObject({ type: "encode", round: 1, baseHash: hash("anchor 1"), tokens: H * TOKENS });
    expect(after[1]).toMatchObject({ type: "train", assignment: { round: 2, cursor: 2 * WINDOWS } });
  });

  test("ahead by a whole round it waits; the open that names it is answered at once", () => {
    const given = afterTheOffer();
    expect(given.acts(trained(1, H))).toEqual([]);
    given.entry(commit());
    given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
    given.entry(seal);
    expect(types(given.entry(nextOpen()))).toEqual(["encode", "train"]);
  });

  test("another roster than expected: the steps that are left read what its open says", () => {
    const given = afterTheOffer();
    given.acts(progress(1, 3));
    given.entry(commit());
    given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
    given.entry(seal);
    expect(types(given.entry(nextOpen({ roster: [alice, bob, carol] })))).toEqual(["stop-training"]);
    expect(given.acts(trained(1, 4))).toMatchObject([
      { type: "train", firstStep: 4, until: H, assignment: { round: 1, cursor: WINDOWS, rosterSize: 3 } },
    ]);
  });

  test("a commit without our offer: what was offered carries, and only the steps since count for the next", () => {
    const given = afterTheOffer();
    given.acts(trained(1, 3)); // its engine paused, say
    given.acts(trained(2, 0));
    given.entry(commit({ contributors: [offerOf(bob)] }));
    expect(given.acts({ type: "fetched", hash: offerOf(bob).update })).toMatchObject([{ type: "fold", named: false }]);
    given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
    given.entry(seal);
    given.now = 1_000;
    expect(given.entry(nextOpen())).toMatchObject([{ type: "train", firstStep: 3, until: H }]);
  });

  test("late for the commit: training goes on, and its steps count for the next round", () => {
    const given = new GivenPeer([], overlapping).atGenesis();
    given.entry(openBody());
    given.acts(progress(0, 1));
    expect(types(given.entry(commitBody({ contributors: [offerOf(bob)] })))).toEqual(["fetch"]);
    given.acts({ type: "fetched", hash: offerOf(bob).update });
    given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
    given.entry(seal);
    // The rest of round 0's windows would be read; round 1 assigns others.
    expect(types(given.entry(nextOpen()))).toEqual(["stop-training"]);
    expect(given.acts(trained(0, 2))).toMatchObject([{ type: "train", firstStep: 2, until: H }]);
  });

  test("a void stops it, and nothing counts of what was trained on a replica that is restored", () => {
    const given = afterTheOffer();
    given.entry(commit());
    given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
    expect(types(given.entry({ type: "void", round: 0, reason: "a disk was replaced" }))).toEqual([
      "stop-training",
      "restore",
    ]);
    expect(given.acts(trained(1, 5))).toEqual([]);
    expect(given.acts({ type: "restored", round: 0, anchorHash: genesisHash })).toMatchObject([{ type: "send" }]);
    expect(given.entry(openBody({ cursor: WINDOWS }))).toMatchObject([{ type: "train", firstStep: 0 }]);
  });

  test("a pause keeps the steps; the end stops it", () => {
    const given = afterTheOffer();
    expect(types(given.acts({ type: "pause", reason: "a call" }))).toEqual(["stop-training", "send"]);
    expect(given.acts(trained(1, 5))).toEqual([]);
    expect(given.acts({ type: "donate" })).toMatchObject([{ type: "send" }, { type: "train", firstStep: 5 }]);
    expect(types(given.entry({ type: "end", reason: "enough" }))).toContain("stop-training");
  });

  test("a device that is lost takes its steps along: none of them is offered", () => {
    const given = afterTheOffer();
    given.acts(trained(1, 6));
    given.acts({ type: "pause", reason: "its GPU was lost", lost: true });
    expect(given.acts({ type: "donate" })).toMatchObject([{ type: "send" }, { type: "train", firstStep: 0 }]);
  });

  test("a device that is lost while it encodes may have been read before: then the update counts", () => {
    const given = afterTheOffer();
    given.acts(encoded(0));
    const lost = { type: "pause", reason: "its GPU was lost", lost: true } as const;
    const encoding = (): GivenPeer => {
      const other = new GivenPeer([], overlapping).atGenesis();
      other.entry(openBody());
      expect(types(other.acts(trained(0, H)))).toContain("encode");
      other.acts(lost);
      return other;
    };
    const read = encoding();
    expect(read.acts(encoded(0))).toMatchObject([{ type: "upload", hash: hash("u0") }]);
    const unread = encoding();
    expect(unread.acts({ type: "encode-failed", round: 0, reason: "the device was lost" })).toEqual([]);
    expect(unread.acts({ type: "donate" })).toMatchObject([{ type: "send" }, { type: "train", firstStep: 0 }]);
  });

  test("the last round that the spec allows is nobody's to train ahead of", () => {
    const spec = givenSpec({ ...overlapping, end: { roundsMax: 1 } });
    const given = new GivenPeer([], spec).atGenesis();
    given.entry(openBody());
    expect(types(given.acts(trained(0, H)))).toEqual(["encode"]);
  });
});

describe.each([
  ["blocking", blocking],
  ["overlapping", overlapping],
])("[R31] without the host, %s", (_, spec) => {
  test("training goes on to 4H steps; then the offer says H, and no more tokens than were assigned", () => {
    const given = new GivenPeer([], spec).atGenesis();
    given.entry(openBody());
    given.step({ type: "host-closed" });
    expect(given.acts(trained(0, H))).toMatchObject([{ type: "train", job: 1, firstStep: H, until: 4 * H }]);
    given.now = 60_000; // a deadline that passes without the host asks for nothing
    expect(given.acts({ type: "tick" })).toEqual([]);
    expect(given.acts(trained(1, 3 * H))).toEqual([]);
    const outputs = given.welcome();
    expect(outputs.find(({ type }) => type === "encode")).toMatchObject({ round: 0, tokens: H * TOKENS });
    given.acts(encoded(0));
    expect(given.acts({ type: "uploaded", hash: hash("u0") })).toMatchObject([
      { type: "offer", offer: { steps: H, tokens: H * TOKENS } },
    ]);
  });

  test("when it comes back in between, the step in flight ends, and the offer follows", () => {
    const given = new GivenPeer([], spec).atGenesis();
    given.entry(openBody());
    given.step({ type: "host-closed" });
    given.acts(trained(0, H));
    given.acts(progress(1, H + 2));
    expect(types(given.welcome())).toContain("stop-training");
    expect(types(given.acts(trained(1, 3)))[0]).toBe("encode");
  });

  test("an offer that waits does not stop it either", () => {
    const given = afterTheOffer(spec);
    const outputs = given.acts({ type: "host-closed" });
    if (spec === blocking) expect(outputs).toMatchObject([{ type: "train", firstStep: 0, until: 4 * H }]);
    else expect(given.acts(trained(1, H))).toMatchObject([{ type: "train", firstStep: H, until: 4 * H }]);
  });
});

describe("[R47] gradients", () => {
  const gradients = givenSpec({
    version: 4,
    inner: { ...blocking.inner, steps: 1 },
    outer: { ...blocking.outer, extract: "gradient", method: "adamw", learningRate: 1, momentum: 0 },
  });
  const others = { contributors: [offerOf(bob, { steps: 1, tokens: TOKENS })] };
  const [nextRound] = [nextOpen({ cursor: 4, tokensBefore: TOKENS })];
  const moveOn = (given: GivenPeer) => {
    given.acts({ type: "fetched", hash: offerOf(bob).update });
    given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
    return [...given.entry(seal), ...given.entry(nextRound)];
  };

  test("one that came too late for its commit is of an older anchor: the next round takes another", () => {
    const given = new GivenPeer([], gradients).atGenesis();
    given.entry(openBody());
    expect(types(given.entry(commitBody(others)))).toEqual(["fetch", "stop-training"]);
    given.acts(trained(0, 1));
    expect(moveOn(given).at(-1)).toMatchObject({
      type: "train",
      job: 1,
      firstStep: 0,
      until: 1,
      assignment: { round: 1 },
    });
  });

  test("one that is computed still when its round is sealed counts for nothing", () => {
    const given = new GivenPeer([], gradients).atGenesis();
    given.entry(openBody());
    given.entry(commitBody(others));
    expect(moveOn(given).at(-1)).toMatchObject({ type: "train", job: 1, firstStep: 0 });
    expect(given.acts(trained(0, 1))).toEqual([]);
    expect(given.acts(trained(1, 1))).toMatchObject([{ type: "encode", round: 1, tokens: TOKENS }]);
  });

  test("one that was begun without the host, while a commit was still being folded, is of the anchor before it (fuzz seed 1092)", () => {
    const given = new GivenPeer([], gradients).atGenesis();
    given.entry(openBody());
    given.entry(commitBody(others));
    given.acts(trained(0, 0));
    expect(types(given.acts({ type: "fetched", hash: offerOf(bob).update }))).toEqual(["fold"]);
    given.entry(seal);
    given.acts({ type: "host-closed" });
    given.now += 2_000;
    expect(given.acts({ type: "tick" })).toMatchObject([{ type: "train", job: 1 }]);
    const folded = given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
    expect(folded).toMatchObject([{ type: "stop-training" }, { type: "train", job: 2, firstStep: 0 }]);
    expect(given.acts(trained(1, 1))).toEqual([]);
  });

  test("without the host a peer takes the round's one step, and none after its offer", () => {
    const given = new GivenPeer([], gradients).atGenesis();
    given.entry(openBody());
    expect(given.step({ type: "host-closed" }).filter(({ type }) => type === "train")).toEqual([]);
    expect(given.acts(trained(0, 1))).toEqual([]);
    const outputs = given.welcome();
    expect(outputs.find(({ type }) => type === "encode")).toMatchObject({ round: 0, tokens: TOKENS });
    expect(given.acts({ type: "host-closed" })).toEqual([]);
  });
});

test("[R9] fewer than H/4 steps at the commit carry, and count for the next round's offer", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody());
  given.acts(progress(0, 1));
  expect(types(given.entry(commitBody({ contributors: [offerOf(bob)] })))).toEqual(["fetch", "stop-training"]);
  expect(given.acts(trained(0, 1))).toEqual([]);
  given.acts({ type: "fetched", hash: offerOf(bob).update });
  given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
  given.entry(seal);
  expect(given.entry(nextOpen())).toMatchObject([{ type: "train", firstStep: 1, until: H, assignment: { round: 1 } }]);
});
