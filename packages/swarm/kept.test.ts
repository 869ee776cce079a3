// Who holds, who decides, who makes checkpoints, in a run whose updates its peers keep. Whole swarms are in packages/sim.
import { expect, test } from "vitest";
import { CheckpointVote } from "./checkpoint-vote.ts";
import { Holders } from "./holders.ts";
import { SealVote } from "./seal-vote.ts";
import { alice, bob, carol, dave, hash, offerOf } from "./test-given.ts";
import { Wake } from "./timing.ts";

const wake = new Wake();
const here = new Set([alice, bob, carol, dave]);

test("[R35] those who are linked to the maker are asked first, others when they do not answer; k of them make it safe", () => {
  const holders = new Holders(2, 1);
  const offer = offerOf(alice);
  holders.track([offer]);
  const linked = (a: string) => a === dave || a === carol;
  const asked = holders.advance(0, here, [], linked, wake).map(({ to }) => to);
  expect(asked.sort()).toEqual([carol, dave]);
  expect(holders.kept(bob, offer.update)).toBe(false); // nobody asked him
  expect(holders.kept(carol, offer.update)).toBe(true);
  expect(holders.isSafe(offer.update, here)).toBe(false);
  expect(holders.advance(4_999, here, [], linked, wake)).toEqual([]);
  expect(holders.advance(5_000, here, [], linked, wake)).toMatchObject([{ to: bob, message: { type: "keep" } }]);
  holders.kept(bob, offer.update);
  expect(holders.isSafe(offer.update, here)).toBe(true);
  holders.gone(carol);
  expect(holders.isSafe(offer.update, new Set([alice, bob, dave]))).toBe(false); // dave could hold it
  expect(holders.isSafe(offer.update, new Set([alice, bob]))).toBe(true); // everybody else does
});

test("[R35] a blob is lost when for 20 s nobody is here who holds it", () => {
  const holders = new Holders(2, 1);
  holders.track([offerOf(alice)]);
  const others = new Set([bob, carol]);
  expect(holders.lost(0, here, wake)).toBeUndefined(); // its maker is here
  expect(holders.lost(1_000, others, wake)).toBeUndefined();
  holders.advance(1_000, others, [], () => true, wake);
  expect(holders.lost(20_999, others, wake)).toBeUndefined();
  expect(holders.lost(21_000, others, wake)).toMatchObject({ maker: alice });
  holders.kept(bob, offerOf(alice).update);
  expect(holders.lost(22_000, others, wake)).toBeUndefined();
});

test("[R36] everybody's word, or a majority's and three seconds, or thirty: then most, then credit, then the smaller hash", () => {
  const credit = (peer: string) => (peer === bob ? 100 : 0);
  const all = [alice, bob, carol, dave];
  const vote = new SealVote();
  expect(vote.verdict(0, all, credit, wake)).toBeUndefined();
  for (const peer of [alice, bob, carol]) vote.take(peer, hash("x"), []);
  expect(vote.verdict(1_000, all, credit, wake)).toBeUndefined();
  expect(vote.verdict(4_000, all, credit, wake)).toMatchObject({
    anchorHash: hash("x"),
    attesters: [alice, bob, carol],
  });
  vote.take(alice, hash("y"), []); // the first word counts
  vote.take(dave, hash("y"), []);
  expect(vote.verdict(1_000, all, credit, wake)).toMatchObject({
    anchorHash: hash("x"),
    attesters: [alice, bob, carol],
  });

  const tie = new SealVote();
  tie.verdict(0, all, credit, wake);
  tie.take(alice, hash("x"), []);
  tie.take(bob, hash("y"), [{ peer: alice, reason: "NaN" }]);
  expect(tie.verdict(29_999, all, credit, wake)).toBeUndefined();
  expect(tie.verdict(30_000, all, credit, wake)).toMatchObject({ anchorHash: hash("y"), refused: [{ peer: alice }] });
  const smaller = [hash("x"), hash("y")].sort()[0];
  expect(tie.verdict(30_000, all, () => 0, wake)).toMatchObject({ anchorHash: smaller });
});

test("[R36] a commit that nobody who is here can fold is given up after two minutes", () => {
  const vote = new SealVote();
  expect(vote.isHopeless(0, 0, wake)).toBe(false);
  expect(vote.isHopeless(500_000, 2, wake)).toBe(false);
  expect(vote.isHopeless(619_999, 2, wake)).toBe(false);
  expect(vote.isHopeless(620_000, 2, wake)).toBe(true);
});

test("[R37] a checkpoint is one when k + 1 of those who were asked hold the same sections", () => {
  const vote = new CheckpointVote(2, 7);
  const blobs = [{ name: "parameters", hash: hash("p"), bytes: 9 }];
  const made = { round: 4, anchorHash: hash("anchor"), blobs };
  expect(vote.take(alice, made)).toBe("unasked");
  expect(vote.ask(4, hash("anchor"), [alice, bob, carol, dave])).toHaveLength(4);
  expect(vote.take(alice, made)).toBeUndefined();
  expect(vote.take(alice, made)).toBeUndefined(); // one voice each
  expect(vote.take(dave, { ...made, blobs: [{ ...blobs[0], hash: hash("q") }] })).toBeUndefined();
  expect(vote.take(bob, { ...made, anchorHash: hash("other") })).toBeUndefined();
  expect(vote.take(bob, made)).toBeUndefined();
  expect(vote.take(carol, made)).toEqual(made);
});
