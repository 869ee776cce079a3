// Links and fetches: whom a peer connects to, and whom it asks for a blob.
import { describe, expect, test } from "vitest";
import { Fetches } from "./fetches.ts";
import { Links } from "./links.ts";
import { alice, bob, carol, hash, member } from "./test-given.ts";
import { Wake } from "./timing.ts";

const wake = new Wake();

describe("[R14] links", () => {
  test("the smaller id calls, the other one expects the call", () => {
    const links = new Links(bob);
    links.setMembers([member(alice), member(bob), member(carol)]);
    expect(links.advance(0, true, wake)).toEqual([
      { type: "connect", peer: alice, initiator: false },
      { type: "connect", peer: carol, initiator: true },
    ]);
    expect(links.advance(1, true, wake)).toEqual([]);
  });

  test("without the host nobody is called, and what is up stays", () => {
    const links = new Links(alice);
    links.setMembers([member(bob)]);
    expect(links.advance(0, false, wake)).toEqual([]);
    links.linkUp(bob);
    links.leave(bob);
    links.advance(1e6, false, wake);
    expect(links.up()).toEqual([bob]);
  });

  test("an attempt has ten seconds; the next ones come after 1, 2, 4 s", () => {
    const links = new Links(alice);
    links.setMembers([member(bob)]);
    links.advance(0, true, wake);
    expect(links.advance(9_999, true, wake)).toEqual([]);
    expect(links.advance(10_000, true, wake)).toEqual([{ type: "disconnect", peer: bob }]);
    expect(links.advance(10_999, true, wake)).toEqual([]);
    expect(links.advance(11_000, true, wake)).toEqual([{ type: "connect", peer: bob, initiator: true }]);
    expect(links.advance(21_000, true, wake)).toEqual([{ type: "disconnect", peer: bob }]);
    expect(links.advance(22_999, true, wake)).toEqual([]);
    expect(links.advance(23_000, true, wake)).toHaveLength(1);
  });

  test("a signal opens our end once, and a stranger's opens nothing", () => {
    const links = new Links(bob);
    links.setMembers([member(alice)]);
    expect(links.signalled(0, carol)).toBeUndefined();
    expect(links.signalled(0, alice)).toEqual([{ type: "connect", peer: alice, initiator: false }]);
    expect(links.signalled(1, alice)).toEqual([]);
  });

  test("[R25] a link to who is no neighbour any more serves for half a minute, and longer while there are few", () => {
    const ids = Array.from({ length: 9 }, (_, i) => hash(`peer ${i}`).concat("00"));
    const links = new Links(alice);
    links.setMembers([bob, ...ids.slice(0, 7)].map(member));
    for (const peer of [bob, ...ids.slice(0, 7)]) links.linkUp(peer);
    links.part(bob);
    expect(links.advance(0, true, wake)).toEqual([]);
    expect(links.advance(60_000, true, wake)).toEqual([]); // eight links are not too many
    links.join(member(ids[7]));
    links.linkUp(ids[7]);
    expect(links.known().map(({ peer }) => peer)).toContain(bob);
    expect(links.advance(60_001, true, wake)).toEqual([{ type: "disconnect", peer: bob }]);
    expect(links.known().map(({ peer }) => peer)).not.toContain(bob);
    links.part(ids[0]);
    links.join(member(ids[8]));
    links.linkUp(ids[8]);
    expect(links.advance(61_000, true, wake)).toEqual([]);
    links.join(member(ids[0])); // it is one again
    links.part(ids[0]);
    expect(links.advance(91_000, true, wake)).toEqual([]); // the half minute began anew
  });

  test("[R25] sixteen links are all: for another neighbour a spare one closes", () => {
    const ids = Array.from({ length: 17 }, (_, i) => hash(`peer ${i}`).concat("00"));
    const links = new Links(alice);
    for (const peer of ids.slice(0, 16)) {
      links.join(member(peer));
      links.linkUp(peer);
    }
    for (const peer of ids.slice(0, 9)) links.part(peer);
    links.join(member(ids[16]));
    const out = links.signalled(0, ids[16]);
    expect(out).toEqual([
      { type: "disconnect", peer: ids[0] },
      { type: "connect", peer: ids[16], initiator: false },
    ]);
  });
});

describe("[R13] fetches", () => {
  const [one, two] = [
    { hash: hash("one"), bytes: 10 },
    { hash: hash("two"), bytes: 20 },
  ];

  test("each wanted blob is asked for once, however often it fails", () => {
    const fetches = new Fetches();
    expect(fetches.wantOnly([one, two], "last")).toEqual([
      { type: "fetch", ...one, host: "last" },
      { type: "fetch", ...two, host: "last" },
    ]);
    expect(fetches.wantOnly([one, two], "last")).toEqual([]);
    fetches.failed(one.hash);
    fetches.failed(one.hash);
    fetches.failed(two.hash);
    expect(fetches.wantOnly([one, two], "last")).toEqual([]);
    expect(fetches.failures()).toBe(2);
  });

  test("what is not wanted any more is cancelled, and its failures are forgotten", () => {
    const fetches = new Fetches();
    fetches.wantOnly([one, two], "last");
    fetches.failed(one.hash);
    expect(fetches.wantOnly([two], "last")).toEqual([{ type: "cancel-fetch", hash: one.hash }]);
    fetches.failed(one.hash);
    expect(fetches.failures()).toBe(0);
    expect(fetches.wantOnly([], "last")).toEqual([{ type: "cancel-fetch", hash: two.hash }]);
  });

  test("what is held is not fetched, and what is dropped is fetched again", () => {
    const fetches = new Fetches();
    fetches.hold(one.hash);
    expect(fetches.wantOnly([one], "at-once")).toEqual([]);
    expect(fetches.drop([one.hash, hash("unknown")])).toEqual([one.hash]);
    expect(fetches.wantOnly([one], "at-once")).toHaveLength(1);
  });
});
