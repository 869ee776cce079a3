// The sequencer at close quarters: what it refuses, and the order in which it lets things out. Whole rounds are in packages/sim.
import { expect, test } from "vitest";
import { type Offer, type PeerId, reasonByCode } from "#wire";
import { alice, bob, carol, commitBody, dave, hash, member, offerOf, openBody, sealBody, spec } from "./test-given.ts";
import { GivenSequencer as Given } from "./test-sequencer.ts";

test("[R1] nothing is broadcast, and nothing more appended, before the disk has it", () => {
  const given = new Given();
  given.join(alice);
  expect(given.appends()).toEqual(["open"]);
  expect(given.say(alice, { type: "pause", reason: "" }).filter(({ type }) => type === "append")).toEqual([]);
  expect(given.step({ type: "end", reason: "over" }).map(({ type }) => type)).toEqual([]);
  const open = given.sync();
  expect(open[0]).toMatchObject({
    type: "broadcast",
    message: { type: "entries", entries: [{ type: "open", seq: 0 }] },
  });
  expect(given.appends()).toEqual(["end"]);
});

test("[R6] from rest, an open waits half a second for a tab that is still loading", () => {
  const given = new Given();
  given.step({ type: "connected", member: member(bob) });
  given.join(alice);
  expect(given.out).toEqual([{ type: "wake", at: 500 }]);
  given.now = 500;
  given.step({ type: "tick" });
  expect(given.out[0]).toMatchObject({ type: "append", body: { type: "open", roster: [alice] } });
});

test("a tick that comes a little early is asked for again", () => {
  const given = new Given();
  given.step({ type: "connected", member: member(bob) });
  given.join(alice);
  given.now = 499.6;
  expect(given.step({ type: "tick" })).toEqual([{ type: "wake", at: 500 }]);
});

function inRound(...peers: PeerId[]): Given {
  const given = new Given([openBody({ roster: peers })]);
  given.step({ type: "tick" });
  given.join(...peers);
  given.now = 1_000;
  return given;
}

test("[R7] the commit waits for the last connected member of the roster", () => {
  const given = inRound(alice, bob);
  given.offer(bob);
  expect(given.appends()).toEqual([]);
  given.offer(alice);
  expect(given.out[0]).toMatchObject({
    type: "append",
    body: { type: "commit", contributors: [{ peer: alice }, { peer: bob }] },
  });
});

test("[R7] who said goodbye is not waited for; who vanished has three seconds", () => {
  const left = inRound(alice, bob);
  left.offer(alice);
  left.say(bob, { type: "bye", reason: "closed the tab" });
  expect(left.appends()).toEqual(["commit"]);

  const vanished = inRound(alice, bob);
  vanished.offer(alice);
  vanished.step({ type: "disconnected", peer: bob, reason: "timeout" });
  expect(vanished.appends()).toEqual([]);
  expect(vanished.out.at(-1)).toEqual({ type: "wake", at: 4_000 });
  vanished.now = 4_000;
  vanished.step({ type: "tick" });
  expect(vanished.appends()).toEqual(["commit"]);
});

test("[R7] a page that was closed is no crash, but it may be a reload: it is waited for all the same", () => {
  const given = inRound(alice, bob);
  given.offer(alice);
  given.step({ type: "disconnected", peer: bob, reason: reasonByCode["page-closed"] });
  expect(given.out).toContainEqual({
    type: "event",
    event: { kind: "left", peer: bob, reason: reasonByCode["page-closed"] },
  });
  expect(given.appends()).toEqual([]);
  given.now = 4_000;
  given.step({ type: "tick" });
  expect(given.appends()).toEqual(["commit"]);
});

test("[R7] at the deadline the commit names who has offered", () => {
  const given = inRound(alice, bob);
  given.offer(alice);
  given.now = 20_000;
  given.step({ type: "tick" });
  expect(given.out[0]).toMatchObject({ body: { type: "commit", contributors: [{ peer: alice }] } });
});

test("[R10] an offer counts when its blob is on the disk, with the bytes that it says", () => {
  const given = inRound(alice);
  const offer = offerOf(alice);
  given.say(alice, { type: "offer", offer });
  expect(given.appends()).toEqual([]);
  given.step({ type: "blob-stored", hash: offer.update, bytes: 999 });
  expect(given.appends()).toEqual([]);
  given.step({ type: "blob-stored", hash: offer.update, bytes: 1_000 });
  expect(given.appends()).toEqual(["commit"]);
});

test("[R10] the same offer again is nothing new; another one is equivocation, and the first counts", () => {
  const given = inRound(alice, bob);
  given.offer(alice);
  expect(given.offer(alice)).toEqual([]);
  const [refusal] = given.offer(alice, { update: hash("another update") });
  expect(refusal).toMatchObject({ type: "send", to: alice, message: { type: "offer-refused", openSeq: 0 } });
  expect(JSON.stringify(refusal)).toContain("equivocation");
  given.offer(bob);
  expect(given.out[0]).toMatchObject({ body: { contributors: [{ update: offerOf(alice).update }, {}] } });
});

test("[R10] an update that somebody else has offered is refused", () => {
  const given = inRound(alice, bob);
  given.offer(alice);
  expect(JSON.stringify(given.offer(bob, { update: offerOf(alice).update }))).toContain(
    "another peer has offered this update",
  );
});

test.each<[string, Partial<Offer>, string]>([
  ["for another open", { openSeq: 4 }, "open 4"],
  ["for another round", { round: 3 }, "current"],
  ["from another base", { baseHash: hash("elsewhere") }, "another anchor"],
  ["with more tokens than assigned", { tokens: 1_025 }, "1025 tokens"],
  ["with too few steps", { steps: 1, tokens: 64 }, "1 steps"],
  ["of too many bytes", { bytes: 1_000_000_000 }, "1000000000 bytes"],
])("[R4] an offer %s is refused with its reason", (_, change, reason) => {
  const given = inRound(alice, bob);
  const [refusal] = given.offer(alice, change);
  expect(refusal).toMatchObject({ type: "send", to: alice, message: { type: "offer-refused" } });
  expect(JSON.stringify(refusal)).toContain(reason);
  expect(given.sequencer.view().peers[0].refused).toBe(1);
});

test("[R4] nobody offers for another, and nobody outside of the roster", () => {
  const given = inRound(alice, bob);
  given.join(carol);
  expect(JSON.stringify(given.say(alice, { type: "offer", offer: offerOf(bob) }))).toContain("in the name of another");
  expect(JSON.stringify(given.offer(carol))).toContain("not in the roster");
});

test("[R19] sixteen messages out of place end a visit", () => {
  const given = inRound(alice, bob);
  for (let i = 0; i < 15; i++) given.say(bob, { type: "attest", round: 40, anchorHash: hash("x") });
  expect(given.sequencer.view().peers).toHaveLength(2);
  given.say(bob, { type: "attest", round: 40, anchorHash: hash("x") });
  expect(given.out[0]).toMatchObject({ type: "disconnect", peer: bob, code: "invalid" });
  expect(given.sequencer.view().peers).toHaveLength(1);
  expect(given.step({ type: "disconnected", peer: bob, reason: "" })).toEqual([]);
});

test("[R25] each hears of its own neighbours alone, and signals go nowhere else", () => {
  const given = inRound(alice, bob);
  const crowd = Array.from({ length: 30 }, (_, i) => `${hash(`crowd ${i}`)}00`);
  const heard = crowd.map((peer) => {
    const near = given.sequencer.neighbours(peer).map((member) => member.peer);
    expect(near.length).toBeLessThanOrEqual(8);
    const out = given.step({ type: "connected", member: member(peer) });
    expect(given.sequencer.neighbours(peer).map((other) => other.peer)).toEqual(near);
    const joined = out.flatMap((o) => (o.type === "send" && o.message.type === "joined" ? [o.to] : []));
    expect(joined).toEqual(expect.arrayContaining(near));
    return out.length;
  });
  expect(Math.max(...heard.slice(12))).toBeLessThanOrEqual(8 + 8 + 1); // joined, parted, and the event
  const near = given.sequencer.neighbours(alice).map(({ peer }) => peer);
  const stranger = crowd.find((peer) => !near.includes(peer))!;
  const signal = (to: string) => given.say(alice, { type: "signal", to, data: "hello" });
  expect(signal(near[0])).toMatchObject([{ type: "send", to: near[0], message: { type: "signal", from: alice } }]);
  for (let i = 0; i < 100; i++) expect(signal(stranger)).toEqual([]);
  for (let i = 0; i < 15; i++) signal(stranger);
  expect(signal(stranger)[0]).toMatchObject({ type: "disconnect", peer: alice });
  const left = given.step({ type: "disconnected", peer: bob, reason: "gone" }).filter(({ type }) => type === "send");
  expect(left.length).toBeLessThanOrEqual(8 + 8);
});

test("[R12] the seal waits for attests, three seconds after the witness at most, and names who agrees with it", () => {
  const given = inRound(alice, bob);
  given.offer(alice);
  given.offer(bob);
  expect(given.sync().at(-1)).toMatchObject({ type: "fold", commit: { round: 0 } });
  given.say(alice, { type: "attest", round: 0, anchorHash: hash("1") });
  given.say(bob, { type: "attest", round: 0, anchorHash: hash("wrong") });
  expect(given.appends()).toEqual([]);
  given.step({ type: "folded", round: 0, anchorHash: hash("1"), refused: [] });
  expect(given.out[0]).toMatchObject({ body: { type: "seal", anchorHash: hash("1"), attesters: [alice] } });

  const slow = inRound(alice, bob);
  slow.offer(alice);
  slow.offer(bob);
  slow.sync();
  slow.step({ type: "folded", round: 0, anchorHash: hash("1"), refused: [] });
  expect(slow.out).toEqual([{ type: "wake", at: 4_000 }]);
  slow.now = 4_000;
  slow.step({ type: "tick" });
  expect(slow.out[0]).toMatchObject({ body: { type: "seal", attesters: [] } });
});

test("[R12] who let the deadline pass is not waited for at the seal too", () => {
  const given = inRound(alice, bob, carol);
  given.offer(alice);
  given.offer(bob);
  given.now = 60_000;
  given.step({ type: "tick" });
  expect(given.appends()).toEqual(["commit"]);
  given.sync();
  for (const peer of [alice, bob]) given.say(peer, { type: "attest", round: 0, anchorHash: hash("1") });
  given.step({ type: "folded", round: 0, anchorHash: hash("1"), refused: [] });
  expect(given.out[0]).toMatchObject({ body: { type: "seal", attesters: [alice, bob] } });
});

test("[R20] an upload that nobody committed is forgotten; shards and checkpoints are not, whoever offers them", () => {
  const anchor = hash("anchor 1");
  const shard = spec.data.train[0].hash;
  const checkpoint = hash("parameters");
  const given = new Given([
    openBody(),
    commitBody(),
    sealBody(),
    { type: "checkpoint", round: 1, anchorHash: anchor, blobs: [{ name: "parameters", hash: checkpoint, bytes: 9 }] },
    openBody({ round: 1, baseHash: anchor, cursor: 32, tokensBefore: 2_048, roster: [alice, bob, carol, dave] }),
  ]);
  for (const peer of [alice, bob, carol, dave]) given.step({ type: "connected", member: member(peer) });
  const change = { round: 1, openSeq: 4, baseHash: anchor };
  for (const update of [shard, checkpoint]) given.step({ type: "blob-stored", hash: update, bytes: 5 });
  given.step({ type: "blob-stored", hash: hash("unused"), bytes: 5 });
  given.say(bob, { type: "offer", offer: offerOf(bob, { ...change, update: checkpoint }) });
  given.say(carol, { type: "offer", offer: offerOf(carol, { ...change, update: shard }) });
  given.offer(alice, change);
  given.now = 60_000;
  given.step({ type: "tick" });
  expect(given.appends()).toEqual(["commit"]);
  given.sync();
  given.step({ type: "folded", round: 1, anchorHash: hash("anchor 2"), refused: [] });
  expect(given.appends()).toEqual([]); // [R24] who was there has not said yet what it folded
  given.now = 63_000;
  given.step({ type: "tick" });
  expect(given.appends()).toEqual(["seal"]);
  expect(given.sync()).toContainEqual({ type: "forget", hashes: [hash("unused")] });
});

test("[R10] an upload that the host had to delete counts again when it is back", () => {
  const given = inRound(alice, bob);
  const offer = offerOf(alice);
  given.say(bob, { type: "pause", reason: "" });
  given.step({ type: "blob-stored", hash: offer.update, bytes: 1_000 });
  given.step({ type: "blob-dropped", hash: offer.update });
  given.say(alice, { type: "offer", offer });
  expect(given.appends()).toEqual([]);
  given.step({ type: "blob-stored", hash: offer.update, bytes: 1_000 });
  expect(given.appends()).toEqual(["commit"]);
});

test("[R24] after a restart a commit without a seal is folded again, an open goes on", () => {
  const committed = new Given([openBody(), commitBody()]);
  expect(committed.step({ type: "tick" })[0]).toMatchObject({ type: "fold", commit: { seq: 1 } });
  const opened = new Given([openBody()]);
  expect(opened.step({ type: "tick" })).toEqual([{ type: "wake", at: 20_000 }]);
  expect(opened.sequencer.view()).toMatchObject({ phase: "training", state: "resting", roster: [alice, bob] });
});

test("[R38] [R19] what the adapter refused counts as a message out of place", () => {
  const given = inRound(alice, bob);
  for (let i = 0; i < 15; i++) given.step({ type: "fault", peer: alice, reason: "an offer with another's signature" });
  expect(given.out.some(({ type }) => type === "disconnect")).toBe(false);
  given.step({ type: "fault", peer: alice, reason: "an offer with another's signature" });
  expect(given.out).toContainEqual(expect.objectContaining({ type: "disconnect", peer: alice, code: "invalid" }));
});

test("[R20] the blobs of a voided commit are forgotten, also after a restart", () => {
  const given = new Given([openBody(), commitBody()]);
  given.join(alice, bob);
  const hashes = commitBody().contributors.map(({ update }) => update);
  given.step({ type: "blob-lost", round: 0, reason: "gone", hashes: [hashes[0]] });
  for (const peer of [alice, bob]) given.say(peer, { type: "lacks", hashes: [hashes[0]] });
  expect(given.appends()).toEqual(["void"]);
  expect(given.sync()).toContainEqual({ type: "forget", hashes });
});

test("a damaged log is refused with the reason", () => {
  expect(() => new Given([commitBody()])).toThrow("damaged: entry 0 (commit)");
});

test("signals are relayed to who is here, and to nobody else", () => {
  const given = inRound(alice, bob);
  expect(given.say(alice, { type: "signal", to: bob, data: "sdp" })).toEqual([
    { type: "send", to: bob, message: { type: "signal", from: alice, data: "sdp" } },
  ]);
  expect(given.say(alice, { type: "signal", to: carol, data: "sdp" })).toEqual([]);
  expect(given.say(carol, { type: "bye", reason: "" })).toEqual([]); // unknown: sent before we closed
});

test("what a peer's links have moved adds up over links that close and open again", () => {
  const given = inRound(alice, bob);
  const report = (bytesSent: number, kind: "direct" | "relayed" = "direct") =>
    given.say(alice, {
      type: "links",
      links: bytesSent === 0 ? [] : [{ peer: bob, kind, bytesSent, bytesReceived: 1, rttMs: null }],
      bytesFromHost: 7,
      bytesToHost: 8,
    });
  report(100);
  report(250);
  report(0);
  report(30, "relayed");
  const row = given.sequencer.view().peers.find((peer) => peer.member.peer === alice)!;
  expect(row).toMatchObject({ bytesSent: 280, bytesReceived: 2, bytesRelayed: 31, bytesFromHost: 7, bytesToHost: 8 });
});
