// [R53] [R54] [R55] Islands at the host, at close quarters. Whole swarms of them are in packages/sim.
import { expect, test } from "vitest";
import type { HostMessage, LinkReport, PeerId } from "#wire";
import { alice, bob, carol, dave, genesisHash, member } from "./test-given.ts";
import { GivenSequencer } from "./test-sequencer.ts";

const link = (peer: PeerId, change: Partial<LinkReport> = {}): LinkReport => ({
  ...{ peer, kind: "direct", bytesSent: 0, bytesReceived: 0, rttMs: 2 },
  ...change,
});

class Given extends GivenSequencer {
  readonly all = [alice, bob, carol, dave];

  /** Everybody in turn is linked with everybody else. */
  measure(peers: readonly PeerId[] = this.all, change: Partial<LinkReport> = {}): void {
    for (const peer of peers) {
      const links = peers.filter((other) => other !== peer).map((other) => link(other, change));
      this.say(peer, { type: "links", links, bytesFromHost: 0, bytesToHost: 0 });
    }
  }

  seek(...peers: readonly PeerId[]): this {
    for (const peer of peers) this.say(peer, { type: "seek-island", ranksMin: 2 });
    return this;
  }

  /** @returns what each was sent meanwhile */
  later(ms: number): ReadonlyMap<PeerId, HostMessage[]> {
    this.now += ms;
    this.step({ type: "tick" });
    return new Map(this.all.map((peer) => [peer, this.heard(peer)]));
  }

  ready(peer: PeerId): void {
    this.say(peer, { type: "ready", round: 0, anchorHash: genesisHash, stepMs: 100 });
  }

  island(...members: readonly PeerId[]): string {
    this.seek(...members);
    this.measure(members);
    const [island] = this.later(1_000).get(members[0])!;
    expect(island).toMatchObject({ type: "island", members });
    return island.type === "island" ? island.island : "";
  }
}

function given(...peers: readonly PeerId[]): Given {
  const sequencer = new Given();
  for (const peer of peers) sequencer.step({ type: "connected", member: member(peer) });
  return sequencer;
}

test("who seeks and is linked is told of its island a second later, all members alike", () => {
  const host = given(alice, bob).seek(bob, alice);
  host.measure([alice, bob]);
  expect(host.later(999).get(alice)).toEqual([]);
  const heard = host.later(1);
  expect(heard.get(alice)).toEqual(heard.get(bob));
  const plan = { kind: "tensor", exchange: "int8", form: "direct" };
  expect(heard.get(alice)).toMatchObject([{ type: "island", members: [alice, bob], plan }]);
  expect(host.sequencer.view().islands).toMatchObject([{ members: [alice, bob], since: 0 }]);
});

test("who waits hears why and who else seeks, once, and again when it is something else", () => {
  const host = given(alice, bob).seek(alice);
  expect(host.heard(alice)).toEqual([{ type: "island-waits", missing: 1, because: "too-few" }]);
  expect(host.later(5_000).get(alice)).toEqual([]);
  host.seek(bob);
  expect(host.heard(alice)).toEqual([{ type: "island-waits", missing: 1, because: "unlinked", seekers: [bob] }]);
  host.measure([alice, bob]);
  expect(host.sequencer.view().islands).toEqual([]);
  expect(host.later(1_000).get(alice)).toMatchObject([{ type: "island", members: [alice, bob] }]);
});

test("a line that is too slow is said; over a slow one layers go to stages, once nobody nearer has come", () => {
  const host = given(alice, bob).seek(alice, bob);
  host.measure([alice, bob], { rttMs: 5_000 });
  expect(host.heard(alice)).toEqual([{ type: "island-waits", missing: 1, because: "slow", seekers: [bob] }]);
  host.measure([alice, bob], { rttMs: 80 });
  host.later(9_999);
  expect(host.sequencer.view().islands).toEqual([]);
  const plan = { kind: "pipeline", layers: [1, 1], exchange: "int8" };
  expect(host.later(1).get(alice)).toMatchObject([{ type: "island", members: [alice, bob], plan }]);
});

test.each([
  [
    "what one end alone reports",
    (host: Given) => host.say(alice, { type: "links", links: [link(bob)], bytesFromHost: 0, bytesToHost: 0 }),
  ],
  ["one that the host relays", (host: Given) => host.measure([alice, bob], { kind: "relayed" })],
  ["one that nobody measured", (host: Given) => host.measure([alice, bob], { rttMs: null })],
])("no line: %s", (_, report) => {
  const host = given(alice, bob).seek(alice, bob);
  const waits = { type: "island-waits", missing: 1, because: "unlinked", seekers: [bob] };
  expect(host.heard(alice)).toEqual([waits]);
  report(host);
  expect(host.later(1_000).get(alice)).toEqual([]);
  expect(host.sequencer.view().islands).toEqual([]);
});

test("the leader trains for all of them: the open names it, and lists who is behind it", () => {
  const host = given(alice, bob, carol, dave);
  host.island(bob, carol);
  for (const peer of [bob, dave]) host.ready(peer);
  host.later(500);
  const roster = [bob, dave];
  const islands = [{ leader: bob, members: [bob, carol] }];
  expect(host.out).toMatchObject([{ type: "append", body: { type: "open", roster, islands } }]);
});

test.each<[string, (host: Given, island: string) => unknown, string]>([
  ["its line ends", (host) => host.step({ type: "disconnected", peer: bob, reason: "closed" }), "a member left"],
  ["it says goodbye", (host) => host.say(bob, { type: "bye", reason: "stop" }), "a member left"],
  ["it comes again", (host) => host.step({ type: "connected", member: member(bob) }), "a member left"],
  [
    "it lost its port",
    (host, island) => host.say(bob, { type: "leave-island", island, reason: "a link went down" }),
    "a link went down",
  ],
  ["it pauses", (host) => host.say(bob, { type: "pause", reason: "by hand" }), "a member paused: by hand"],
  ["it trains alone", (host) => host.ready(bob), "a member trains alone"],
])("a member is no more in it: %s", (_, happens, reason) => {
  const host = given(alice, bob, carol);
  const island = host.island(alice, bob);
  host.ready(alice);
  happens(host, island);
  expect(host.heard(alice).filter(({ type }) => type === "island-over")).toEqual([
    { type: "island-over", island, reason },
  ]);
  expect(host.sequencer.view().islands).toEqual([]);
  expect(host.sequencer.view().peers.find(({ member }) => member.peer === alice)?.state).toBe("joining");
  host.seek(alice, carol);
  host.measure([alice, carol]);
  expect(host.later(1_000).get(alice)).toMatchObject([{ type: "island", members: [alice, carol] }]);
});

test("word of an island that is over ends no other", () => {
  const host = given(alice, bob);
  const first = host.island(alice, bob);
  host.say(alice, { type: "leave-island", island: first, reason: "lost" });
  host.seek(alice, bob);
  host.measure([alice, bob]);
  host.later(1_000);
  expect(host.sequencer.view().islands).toHaveLength(1);
  host.say(bob, { type: "leave-island", island: first, reason: "lost" });
  expect(host.sequencer.view().islands).toHaveLength(1);
});

test("the same members rest longer after each time that it fell apart, and begin anew after one that worked", () => {
  const host = given(alice, bob);
  const fall = (island: string): void => {
    host.say(alice, { type: "leave-island", island, reason: "lost" });
    host.seek(alice, bob);
    host.measure([alice, bob]);
  };
  const formsWithin = (ms: number): string => {
    expect(
      host
        .later(ms - 1)
        .get(alice)
        ?.some(({ type }) => type === "island"),
    ).toBe(false);
    const island = host
      .later(1)
      .get(alice)
      ?.find((message) => message.type === "island");
    expect(island).toBeDefined();
    return island?.type === "island" ? island.island : "";
  };
  let island = host.island(alice, bob);
  for (const restMs of [1_000, 2_000, 4_000]) {
    fall(island);
    island = formsWithin(restMs);
  }
  host.now += 60_000;
  fall(island);
  formsWithin(1_000);
});

test("who seeks no more is in none", () => {
  const host = given(alice, bob).seek(alice, bob);
  host.say(alice, { type: "leave-island", reason: "paused" });
  expect(host.heard(bob)).toEqual([{ type: "island-waits", missing: 1, because: "too-few" }]);
  host.measure([alice, bob]);
  host.later(1_000);
  expect(host.sequencer.view().islands).toEqual([]);
});
