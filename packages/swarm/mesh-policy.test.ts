// Links and fetches: whom a peer connects to, and whom it asks for a blob.
import { describe, expect, test } from "vitest";
import { Fetches } from "./fetches.ts";
import { Links } from "./links.ts";
import { alice, bob, carol, dave, hash, member } from "./test-given.ts";
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
  const blob = (maker: string | undefined) => ({ hash: hash("blob"), bytes: 10, maker });
  function given(...up: string[]) {
    const links = new Links(alice);
    links.setMembers([bob, carol, dave].map(member));
    for (const peer of up) links.linkUp(peer);
    const fetches = new Fetches();
    return { links, fetches, ask: (now: number) => fetches.advance(now, links, true, wake) };
  }

  test("the maker first, then who else is linked, and not the host", () => {
    const { fetches, ask } = given(bob, carol, dave);
    fetches.wantOnly(0, [blob(carol)]);
    const [fetch] = ask(0);
    expect(fetch).toMatchObject({ type: "fetch", host: false });
    expect(fetch.type === "fetch" && fetch.sources[0]).toBe(carol);
    expect(fetch.type === "fetch" && fetch.sources).toHaveLength(3);
    expect(ask(1)).toEqual([]); // it is on its way
  });

  test("after a failure the host too, at once; then with growing pauses", () => {
    const { fetches, ask } = given(bob);
    fetches.wantOnly(0, [blob(carol)]);
    ask(0);
    fetches.failed(10, hash("blob"));
    expect(ask(10)).toMatchObject([{ host: true, sources: [bob] }]);
    fetches.failed(20, hash("blob"));
    expect(ask(1_019)).toEqual([]);
    expect(ask(1_020)).toHaveLength(1);
    expect(fetches.failures()).toBe(2);
  });

  test("while a first link may still come up, the host is spared for five seconds", () => {
    const { links, fetches, ask } = given();
    links.advance(0, true, wake);
    fetches.wantOnly(0, [blob(carol)]);
    expect(ask(0)).toEqual([]);
    expect(ask(4_999)).toEqual([]);
    expect(ask(5_000)).toMatchObject([{ host: true, sources: [] }]);
  });

  test("alone, or for a checkpoint, the host is asked at once", () => {
    const alone = new Links(alice);
    const fetches = new Fetches();
    fetches.wantOnly(0, [blob(carol)]);
    expect(fetches.advance(0, alone, true, wake)).toMatchObject([{ host: true, sources: [] }]);
    const { fetches: more, ask } = given(bob);
    more.wantOnly(0, [blob(undefined)]);
    expect(ask(0)).toMatchObject([{ host: true, sources: [bob] }]);
  });

  test("what is held is not fetched, and what is dropped is fetched again", () => {
    const { fetches, ask } = given(bob);
    fetches.hold(hash("blob"));
    fetches.wantOnly(0, [blob(bob)]);
    expect(ask(0)).toEqual([]);
    expect(fetches.drop([hash("blob"), hash("unknown")])).toEqual([hash("blob")]);
    fetches.wantOnly(0, [blob(bob)]);
    expect(ask(0)).toHaveLength(1);
  });
});
