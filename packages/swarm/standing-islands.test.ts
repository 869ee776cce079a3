// [R53] [R54] [R55] Islands at the host, at close quarters. Whole swarms of them are in packages/sim.
import { expect, test } from "vitest";
import type { HostMessage, LinkReport, PeerId } from "#wire";
import { alice, bob, carol, dave, genesisHash, hash, member } from "./test-given.ts";
import { GivenSequencer } from "./test-sequencer.ts";

const link = (peer: PeerId, change: Partial<LinkReport> = {}): LinkReport => ({
  ...{ peer, kind: "direct", bytesSent: 0, bytesReceived: 0, rttMs: 2 },
  ...change,
});

class Given extends GivenSequencer {
  readonly all = [alice, bob, carol, dave];

  /** Everybody in turn is linked with everybody else. */
  measure(peers: readonly PeerId[] = this.all, change: Partial<LinkReport> = {}): void {
    for (const peer of peers)
      this.report(
        peer,
        peers.filter((other) => other !== peer).map((other) => link(other, change)),
      );
  }

  report(peer: PeerId, links: LinkReport[]): void {
    this.say(peer, { type: "links", links, bytesFromHost: 0, bytesToHost: 0 });
  }

  seek(...peers: readonly PeerId[]): this {
    for (const peer of peers) this.say(peer, { type: "seek-island", ranksMin: 2 });
    return this;
  }

  /** @returns what each was sent meanwhile */
  later(ms: number): ReadonlyMap<PeerId, HostMessage[]> {
    const heard = new Map<PeerId, HostMessage[]>(this.all.map((peer) => [peer, []]));
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(end, this.now + 100);
      this.step({ type: "tick" });
      for (const [peer, messages] of heard) messages.push(...this.heard(peer));
    }
    return heard;
  }

  /** Their newest word within a second. */
  waits(peer: PeerId): HostMessage | undefined {
    return this.later(1_000)
      .get(peer)
      ?.findLast(({ type }) => type === "island-waits");
  }

  ready(peer: PeerId): void {
    this.say(peer, { type: "ready", round: 0, anchorHash: genesisHash, stepMs: 100 });
  }

  islandWithin(ms: number, peer: PeerId): string {
    const island = this.later(ms)
      .get(peer)
      ?.find((message) => message.type === "island");
    expect(island).toBeDefined();
    return island?.type === "island" ? island.island : "";
  }

  island(...members: readonly PeerId[]): string {
    this.seek(...members);
    this.measure(members);
    return this.islandWithin(1_300, members[0]);
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
  host.later(900);
  expect(host.sequencer.view().islands).toEqual([]);
  const heard = host.later(300);
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
  host.measure([alice, bob], { rttMs: 5_000 });
  expect(host.waits(alice)).toEqual({ type: "island-waits", missing: 1, because: "slow", seekers: [bob] });
});

test("who says that it holds more than before gets company, and the host what their steps will take", () => {
  const holds = (first: number, flopsPerSecond: number) => ({
    ...{ tensorRanksMin: null, flopsPerSecond },
    stageLayersMax: [
      [first, 1],
      [0, 0, 0],
      [0, 0, 0, 0],
    ],
  });
  const host = given(alice, bob);
  host.say(alice, { type: "seek-island", ranksMin: 2, capacity: holds(0, 1e12) });
  host.say(bob, { type: "seek-island", ranksMin: 2, capacity: holds(0, 1e12) });
  host.measure([alice, bob]);
  expect(host.waits(alice)).toEqual({ type: "island-waits", missing: 0, because: "too-small", seekers: [bob] });
  expect(host.sequencer.view().islands).toEqual([]);
  host.say(bob, { type: "seek-island", ranksMin: 2, capacity: holds(1, 1e12) });
  host.later(400);
  const plan = { kind: "pipeline", layers: [1, 1], exchange: "int8" };
  const [island] = host.sequencer.view().islands;
  expect(island).toMatchObject({ members: [bob, alice], plan, stepMs: expect.any(Number) });
});

test("over a slow line layers go to stages, once nobody nearer has come", () => {
  const host = given(alice, bob).seek(alice, bob);
  host.measure([alice, bob], { rttMs: 80 });
  expect(host.waits(alice)).toEqual({ type: "island-waits", missing: 0, because: "measuring", seekers: [bob] });
  host.later(28_900);
  expect(host.sequencer.view().islands).toEqual([]);
  host.later(400);
  const plan = { kind: "pipeline", layers: [1, 1], exchange: "int8" };
  expect(host.sequencer.view().islands).toMatchObject([{ members: [alice, bob], plan }]);
});

test.each([
  ["what one end alone reports", (host: Given) => host.report(alice, [link(bob)])],
  ["one that the host relays", (host: Given) => host.measure([alice, bob], { kind: "relayed" })],
  ["one that nobody measured", (host: Given) => host.measure([alice, bob], { rttMs: null })],
])("no line: %s", (_, report) => {
  const host = given(alice, bob).seek(alice, bob);
  report(host);
  expect(host.waits(alice)).toEqual({ type: "island-waits", missing: 1, because: "unlinked", seekers: [bob] });
  host.later(20_000);
  expect(host.sequencer.view().islands).toEqual([]);
});

test("no line: to who is no neighbour, whatever both say", () => {
  const many = Array.from({ length: 40 }, (_, i) => hash(`peer ${i}`).concat("00"));
  const host = given(...many).seek(...many.slice(0, 30));
  const { mesh } = host.sequencer;
  const a = many[0];
  const b = many.slice(1, 30).find((other) => !mesh.areNeighbours(a, other))!;
  const c = many.slice(1, 30).find((other) => mesh.areNeighbours(a, other))!;
  host.measure([a, b]);
  host.later(20_000);
  expect(host.sequencer.view().islands).toEqual([]);
  host.measure([a, c]);
  host.later(300);
  expect(host.sequencer.view().islands).toHaveLength(1);
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
  host.later(1_300);
  expect(host.sequencer.view().islands).toMatchObject([{ members: [alice, carol] }]);
});

test("word of an island that is over ends no other", () => {
  const host = given(alice, bob);
  const first = host.island(alice, bob);
  host.say(alice, { type: "leave-island", island: first, reason: "lost" });
  host.seek(alice, bob);
  host.measure([alice, bob]);
  host.later(1_300);
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
  let island = host.island(alice, bob);
  for (const restMs of [1_000, 2_000, 4_000]) {
    fall(island);
    host.later(restMs - 100);
    expect(host.sequencer.view().islands).toEqual([]);
    island = host.islandWithin(400, alice);
  }
  host.now += 60_000;
  fall(island);
  host.islandWithin(1_300, alice);
});

test("who seeks no more is in none", () => {
  const host = given(alice, bob).seek(alice, bob);
  host.say(alice, { type: "leave-island", reason: "paused" });
  host.measure([alice, bob]);
  expect(host.waits(bob)).toEqual({ type: "island-waits", missing: 1, because: "too-few" });
  host.later(5_000);
  expect(host.sequencer.view().islands).toEqual([]);
});
