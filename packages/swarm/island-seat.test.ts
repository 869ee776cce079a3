import { expect, test } from "vitest";
import type { HostMessage } from "#wire";
import { IslandSeat, type IslandSeatOutput } from "./island-seat.ts";
import { alice, bob, GivenPeer, hash } from "./test-given.ts";

const plan = { kind: "tensor", exchange: "int8", form: "direct" } as const;
const island = hash("island");
const welcome = (): HostMessage => new GivenPeer().welcomeWith();
const formed = (of = island, members = [bob, alice]): HostMessage => ({ type: "island", island: of, members, plan });
const hear = (seat: IslandSeat, message: HostMessage): IslandSeatOutput[] => seat.step({ type: "message", message });
const seeks = { type: "send", message: { type: "seek-island", ranksMin: 2 } };

function seeking(): IslandSeat {
  const seat = new IslandSeat(alice);
  expect(seat.step({ type: "seek", ranksMin: 2 })).toEqual([]); // nobody hears it yet
  expect(hear(seat, welcome())).toEqual([seeks]);
  return seat;
}
function inIsland(): IslandSeat {
  const seat = seeking();
  expect(hear(seat, formed())).toEqual([{ type: "form", island, rank: 1, members: [bob, alice], plan }]);
  return seat;
}

test("[R53] it seeks when the host hears it, and hears why there is none yet", () => {
  const seat = seeking();
  const waits = { type: "island-waits", missing: 1, because: "too-few" } as const;
  expect(hear(seat, waits)).toEqual([{ type: "waits", missing: 1, because: "too-few" }]);
});

test("[R53] an island that is over is sought anew once the device is free, not before", () => {
  const seat = inIsland();
  const dissolve = { type: "dissolve", island, reason: "a member left" };
  expect(hear(seat, { type: "island-over", island, reason: "a member left" })).toEqual([dissolve]);
  expect(hear(seat, formed(hash("another")))).toMatchObject([{ message: { type: "leave-island" } }]); // our device is not free
  expect(seat.step({ type: "free" })).toEqual([seeks]);
  expect(hear(seat, formed(hash("third")))).toMatchObject([{ type: "form" }]);
});

test("[R53] who loses its port says so once; word of an island of before changes nothing", () => {
  const seat = inIsland();
  expect(seat.step({ type: "lost", reason: "a link went down" })).toEqual([
    { type: "send", message: { type: "leave-island", island, reason: "a link went down" } },
    { type: "dissolve", island, reason: "a link went down" },
  ]);
  expect(seat.step({ type: "lost", reason: "an engine was lost" })).toEqual([]);
  expect(hear(seat, { type: "island-over", island, reason: "a member left" })).toEqual([]);
  seat.step({ type: "free" });
  hear(seat, formed(hash("another")));
  expect(hear(seat, { type: "island-over", island, reason: "a member left" })).toEqual([]);
  expect(seat.island).toBe(hash("another"));
});

test("[R53] an island outlives the line to the host until there is a welcome", () => {
  const seat = inIsland();
  expect(seat.step({ type: "host-closed" })).toEqual([]);
  expect(seat.island).toBe(island);
  expect(hear(seat, welcome())).toEqual([{ type: "dissolve", island, reason: "the line to the host was renewed" }]);
  expect(seat.step({ type: "free" })).toEqual([seeks]);
});

test("[R53] who stops leaves its island, or seeks no more; an island that comes all the same is refused", () => {
  const left = inIsland();
  expect(left.step({ type: "stop", reason: "paused" })).toEqual([
    { type: "send", message: { type: "leave-island", island, reason: "paused" } },
    { type: "dissolve", island, reason: "paused" },
  ]);
  expect(left.step({ type: "free" })).toEqual([]);
  const seat = seeking();
  const rests = { type: "send", message: { type: "leave-island", reason: "paused" } };
  expect(seat.step({ type: "stop", reason: "paused" })).toEqual([rests]);
  expect(seat.step({ type: "stop", reason: "paused" })).toEqual([]);
  const refused = { type: "send", message: { type: "leave-island", island, reason: "it is busy" } };
  expect(hear(seat, formed())).toEqual([refused]);
});
