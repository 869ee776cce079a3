// The peer at close quarters: what it asks of its adapter, and when. Whole swarms are in packages/sim.
import { expect, test } from "vitest";
import type { EntryBody } from "#wire";
import type { PeerInput } from "./ports.ts";
import {
  alice,
  bob,
  commitBody,
  GivenPeer,
  genesisHash,
  givenSpec,
  hash,
  offerOf,
  openBody,
  run,
  sealBody,
  TestLog,
  types,
} from "./test-given.ts";

test("[R5] a peer that follows but does not donate says nothing; the button makes it ready", () => {
  const given = new GivenPeer();
  expect(given.welcome()).toEqual([
    { type: "send", message: { type: "head", seq: -1, hash: run } },
    { type: "restore", round: 0, anchorHash: genesisHash, blobs: [] },
  ]);
  expect(given.acts({ type: "restored", round: 0, anchorHash: genesisHash })).toEqual([]);
  const ready = { type: "ready", round: 0, anchorHash: genesisHash, stepMs: null };
  expect(given.acts({ type: "donate" })).toEqual([{ type: "send", message: ready }]);
  expect(given.acts({ type: "tick" })).toEqual([]); // once
});

test("[R34] a host that has signed another history is left for good, and the person gets the proof", () => {
  const given = new GivenPeer().atGenesis();
  const ours = given.log.append(openBody());
  given.hear({ type: "entries", entries: [ours] });
  const theirs = new TestLog().append(openBody({ roster: [bob] }));
  const out = given.hear({ type: "entries", entries: [theirs] });
  expect(out).toContainEqual({ type: "evidence", ours, theirs });
  expect(out.at(-1)).toMatchObject({ type: "refused", code: "fork", message: expect.stringContaining("entries 0") });
  expect(given.acts({ type: "tick" })).toEqual([]);
});

test("[R33] what the host asks back is given, and nothing while it is not asked", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody());
  expect(given.hear({ type: "give-back", from: 0 })).toEqual([
    { type: "send", message: { type: "given-back", entries: given.log.entries } },
  ]);
  expect(given.hear({ type: "give-back", from: 5 })).toEqual([
    { type: "send", message: { type: "given-back", entries: [] } },
  ]);
});

test("[R34] of the updates that the host misses, those that are here go up, and the others are told", () => {
  const given = new GivenPeer().atGenesis();
  given.acts({ type: "fetched", hash: hash("u") });
  expect(given.hear({ type: "give-blobs", hashes: [hash("u"), hash("v")] })).toEqual([
    { type: "upload", hash: hash("u") },
    { type: "send", message: { type: "lacks", hashes: [hash("v")] } },
  ]);
});

test("a round from open to attest, with the handles that go in and out", () => {
  const given = new GivenPeer().atGenesis();
  const [train] = given.entry(openBody());
  const place = { cursor: 0, rosterSize: 2, position: 0, tokensBefore: 0, deadlineMs: 20_000 };
  expect(train).toEqual({
    type: "train",
    ...{ job: 0, firstStep: 0, until: 8 },
    assignment: { round: 0, steps: 8, windowsPerStep: 2, ...place },
  });
  given.step({ type: "progress", job: 0, round: 0, step: 8, loss: 3, tokensPerSecond: 9, stepMs: 50 });
  expect(given.acts({ type: "trained", job: 0, steps: 8, tokens: 1_024, loss: 3 })).toEqual([
    { type: "encode", round: 0, baseHash: genesisHash, tokens: 1_024 },
  ]);
  const { signature: _, ...offer } = offerOf(alice);
  const { update } = offer;
  expect(given.acts({ type: "encoded", round: 0, update, bytes: 1_000 })).toEqual([{ type: "upload", hash: update }]);
  expect(given.acts({ type: "uploaded", hash: update })).toEqual([{ type: "offer", offer }]);
  const theirs = offerOf(bob).update;
  expect(given.entry(commitBody())).toEqual([{ type: "fetch", hash: theirs, bytes: 1_000, host: "last" }]);
  expect(given.acts({ type: "fetched", hash: theirs })).toMatchObject([{ type: "fold", named: true }]);
  expect(given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] })).toMatchObject([
    { message: { type: "attest", round: 0, anchorHash: hash("anchor 1") } },
    { message: { type: "ready", round: 1, stepMs: 50 } },
  ]);
  expect(given.entry(sealBody())).toEqual([]);
});

test("[R9] near the deadline a peer with H/4 steps finishes; one with fewer trains on until it has them", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody({ deadlineMs: 10_000 }));
  const progress = (step: number): PeerInput => ({
    type: "progress",
    job: 0,
    round: 0,
    step,
    loss: 3,
    tokensPerSecond: 1,
    stepMs: 1,
  });
  given.step(progress(1));
  given.now = 9_000; // a second is left for encoding and uploading
  expect(given.acts({ type: "tick" })).toEqual([]);
  given.now = 12_000;
  expect(types(given.acts(progress(2)))).toContain("stop-training");
  expect(types(given.acts({ type: "trained", job: 0, steps: 2, tokens: 256, loss: 3 }))).toEqual(["encode"]);
});

test("[R9] a commit that comes first stops the training, and the work carries", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody());
  const outputs = given.entry(commitBody({ contributors: [offerOf(bob)] }));
  expect(types(outputs)).toEqual(["fetch", "stop-training"]);
  expect(given.acts({ type: "fetched", hash: offerOf(bob).update })).toMatchObject([{ type: "fold", named: false }]);
});

test("[R22] after the end the last updates are waited for as long as the longest deadline, and no longer", () => {
  const patient = givenSpec({ rounds: { ...givenSpec().rounds, deadlineMaxMs: 90_000 } });
  const given = new GivenPeer([], patient).atGenesis();
  given.entry(openBody());
  given.entry(commitBody({ contributors: [offerOf(bob)] }));
  given.entry(sealBody());
  expect(types(given.entry({ type: "end", reason: "enough" }))).not.toContain("ended");
  given.now = 89_999;
  expect(given.acts({ type: "tick" })).toEqual([]);
  given.now = 90_000;
  expect(given.acts({ type: "tick" })).toEqual([{ type: "ended", reason: "enough" }]);
});

test("training that gave nothing begins again a second later, not at once", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody());
  const none: PeerInput = { type: "trained", job: 0, steps: 0, tokens: 0, loss: 0 };
  expect(given.step(none)).toEqual([{ type: "wake", at: 1_000 }]);
  given.now = 1_000;
  expect(types(given.acts({ type: "tick" }))).toEqual(["train"]);
});

test("[R11] an update that is made answers a superseding open as well", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody());
  given.acts({ type: "trained", job: 0, steps: 8, tokens: 1_024, loss: 3 });
  given.acts({ type: "encoded", round: 0, update: hash("u"), bytes: 1_000 });
  given.acts({ type: "uploaded", hash: hash("u") });
  expect(given.entry(openBody({ cursor: 32 }))).toMatchObject([
    { type: "offer", offer: { openSeq: 1, update: hash("u") } },
  ]);
  expect(given.entry(openBody({ cursor: 64, roster: [bob] }))).toEqual([]);
});

test("[R11] after a reconnect, blob and offer are sent again with the same content", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody());
  given.acts({ type: "trained", job: 0, steps: 8, tokens: 1_024, loss: 3 });
  given.acts({ type: "encoded", round: 0, update: hash("u"), bytes: 1_000 });
  const [first] = given.acts({ type: "uploaded", hash: hash("u") });
  given.step({ type: "host-closed" });
  expect(types(given.welcome())).toEqual(["send", "upload", "send", "stop-training"]); // [R31] it trained on meanwhile
  expect(given.acts({ type: "uploaded", hash: hash("u") })).toEqual([first]);
});

test("[R52] a welcome on the open line is a reconnect: head, blob and offer are said again", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody());
  given.acts({ type: "trained", job: 0, steps: 8, tokens: 1_024, loss: 3 });
  given.acts({ type: "encoded", round: 0, update: hash("u"), bytes: 1_000 });
  const [first] = given.acts({ type: "uploaded", hash: hash("u") });
  expect(given.welcome()).toMatchObject([
    { type: "send", message: { type: "head", seq: 0 } },
    { type: "upload", hash: hash("u") },
    { type: "send", message: { type: "ready", round: 0 } },
  ]);
  expect(given.acts({ type: "uploaded", hash: hash("u") })).toEqual([first]);
});

test("[R17] training that diverged is dropped, and the replica restored", () => {
  const given = new GivenPeer().atGenesis();
  given.entry(openBody());
  const nan: PeerInput = { type: "trained", job: 0, steps: 8, tokens: 1_024, loss: Number.NaN };
  expect(types(given.acts(nan))).toEqual(["restore"]);
});

test("[R17] another genesis than the run's is told to the person after four attempts", () => {
  const given = new GivenPeer([openBody()]);
  given.step({ type: "donate" });
  given.welcome();
  given.acts({ type: "log", entries: given.log.entries });
  for (let i = 0; i < 3; i++)
    expect(types(given.acts({ type: "restored", round: 0, anchorHash: hash("other") }))).toEqual(["restore"]);
  expect(given.acts({ type: "restored", round: 0, anchorHash: hash("other") })).toMatchObject([
    { type: "refused", code: "desync" },
  ]);
  expect(given.peer.view().phase).toBe("refused");
  expect(given.acts({ type: "tick" })).toEqual([]);
});

const checkpoint = (round: number): EntryBody => ({
  type: "checkpoint",
  round,
  anchorHash: hash(`anchor ${round}`),
  blobs: [{ name: "parameters", hash: hash(`checkpoint ${round}`), bytes: 9 }],
});
/** Round r by bob alone; the log has `seq` entries before it. */
function roundByBob(round: number, seq: number): EntryBody[] {
  const baseHash = round === 0 ? genesisHash : hash(`anchor ${round}`);
  const contributors = [offerOf(bob, { round, openSeq: seq, baseHash })];
  return [
    openBody({ round, roster: [bob], baseHash, cursor: 16 * round, tokensBefore: 1_024 * round }),
    commitBody({ round, openSeq: seq, baseHash, contributors }),
    sealBody({ round, anchorHash: hash(`anchor ${round + 1}`), attesters: [bob] }),
    checkpoint(round + 1),
  ];
}

test("[R15] a joiner restores the newest checkpoint; what it reads from is kept until it is done", () => {
  const given = new GivenPeer(roundByBob(0, 0));
  given.step({ type: "donate" });
  given.welcome();
  const blob = hash("checkpoint 1");
  expect(given.acts({ type: "log", entries: given.log.entries })).toMatchObject([
    { type: "fetch", hash: blob, host: "at-once" },
  ]);
  expect(given.acts({ type: "fetched", hash: blob })).toMatchObject([
    { type: "restore", round: 1, anchorHash: hash("anchor 1") },
  ]);
  for (const body of [...roundByBob(1, 4), ...roundByBob(2, 8)])
    expect(types(given.entry(body))).not.toContain("forget");
  const outputs = given.acts({ type: "restored", round: 1, anchorHash: hash("anchor 1") });
  expect(outputs[0]).toEqual({ type: "forget", hashes: [blob] });
});

test("[R21] the named attester evaluates before it trains", () => {
  const given = new GivenPeer().atGenesis();
  for (let round = 0; round < 5; round++) {
    const baseHash = round === 0 ? genesisHash : hash(`anchor ${round}`);
    const openSeq = given.log.entries.length;
    const update = hash(`mine ${round}`);
    given.entry(openBody({ round, roster: [alice], baseHash, cursor: 16 * round, tokensBefore: 1_024 * round }));
    given.acts({ type: "trained", job: round, steps: 8, tokens: 1_024, loss: 3 });
    given.acts({ type: "encoded", round, update, bytes: 1_000 });
    given.acts({ type: "uploaded", hash: update });
    given.entry(
      commitBody({ round, openSeq, baseHash, contributors: [offerOf(alice, { round, openSeq, baseHash, update })] }),
    );
    given.acts({ type: "folded", round, anchorHash: hash(`anchor ${round + 1}`), refused: [] });
    const outputs = given.entry(sealBody({ round, anchorHash: hash(`anchor ${round + 1}`), attesters: [alice] }));
    expect(outputs).toEqual(round === 4 ? [{ type: "evaluate", round: 5 }] : []);
  }
  const result = { round: 5, anchorHash: hash("anchor 5"), setHash: hash("set"), loss: 2 };
  expect(given.acts({ type: "evaluated", ...result })).toEqual([
    { type: "send", message: { type: "evaluation", ...result } },
  ]);
});

test("stop says goodbye and closes the links", () => {
  const given = new GivenPeer().atGenesis(bob);
  given.step({ type: "link-up", peer: bob });
  expect(given.acts({ type: "stop" })).toEqual([
    { type: "send", message: { type: "bye", reason: "stopped" } },
    { type: "disconnect", peer: bob },
  ]);
  expect(given.step({ type: "tick" })).toEqual([]);
});

/** Alice is at genesis and fetches what the first commit names; meanwhile two more rounds are sealed. */
function behind(retain: "all" | "window"): GivenPeer {
  const given = new GivenPeer([], givenSpec({ checkpoint: { everyRounds: 4, retain } })).atGenesis(bob);
  given.entry(openBody());
  given.entry(commitBody());
  let baseHash = genesisHash;
  for (const round of [0, 1, 2]) {
    const anchorHash = hash(`anchor ${round + 1}`);
    const before = { cursor: 32 * round, tokensBefore: 2_048 * round };
    if (round > 0) {
      given.entry(openBody({ round, baseHash, ...before }));
      const contributors = [alice, bob].map((peer) =>
        offerOf(peer, { round, baseHash, openSeq: given.log.entries.length - 1 }),
      );
      given.entry(commitBody({ round, baseHash, openSeq: given.log.entries.length - 1, contributors }));
    }
    given.entry(sealBody({ round, anchorHash }));
    baseHash = anchorHash;
  }
  return given;
}
const checkpointBody = (round: number): EntryBody => ({
  type: "checkpoint",
  round,
  anchorHash: hash(`anchor ${round}`),
  blobs: [{ name: "parameters", hash: hash(`checkpoint ${round}`), bytes: 9 }],
});

test("[R20] a peer behind whose missing updates are forgotten by all takes the checkpoint, and asks nobody for them", () => {
  const given = behind("window");
  given.step({ type: "fetched", hash: offerOf(bob).update }); // its own is not there: it was another incarnation's
  expect(types(given.entry(checkpointBody(2)))).not.toContain("forget");
  expect(given.entry(checkpointBody(3))).toContainEqual({
    type: "fetch",
    hash: hash("checkpoint 3"),
    bytes: 9,
    host: "at-once",
  });
});

test("[R20] what a peer behind has fetched and will fold next stays, also past the checkpoint after which others forget it", () => {
  const given = behind("all");
  given.step({ type: "fetched", hash: offerOf(bob).update });
  given.entry(checkpointBody(2));
  expect(types(given.entry(checkpointBody(3)))).toEqual([]);
  expect(types(given.acts({ type: "fetched", hash: offerOf(alice).update }))).toEqual(["fold"]);
  const forgotten = given.acts({ type: "folded", round: 0, anchorHash: hash("anchor 1"), refused: [] });
  expect(types(forgotten)).toContain("forget");
});
