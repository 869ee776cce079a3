import { expect, test } from "vitest";
import type { RoundPeer, RoundTimes } from "#wire";
import { en } from "../words/en.ts";
import { watcher } from "./fixtures.ts";
import { hiddenShare, spansOf, storyOf } from "./round-story.ts";

const [round] = watcher.rounds;
const withPeers = (change: (peer: RoundPeer, i: number) => Partial<RoundPeer>): RoundTimes => ({
  ...round,
  peers: round.peers.map((peer, i) => ({ ...peer, ...change(peer, i) })),
});

test("a peer trains, waits for the commit, and folds", () => {
  expect(spansOf(round, round.peers[0])).toEqual({
    trainMs: 19_000,
    hiddenMs: 0,
    waitMs: 5_000,
    foldMs: 1_900,
    totalMs: 26_500,
  });
});

test("what this host did not see is not known; an offer after the commit waited for nothing", () => {
  const late = { ...round.peers[0], offeredAt: Number(round.committedAt) + 400, foldedAt: null };
  expect(spansOf(round, late)).toMatchObject({ waitMs: 0, foldMs: null, trainMs: 24_400 });
  expect(spansOf(round, { ...late, offeredAt: null })).toMatchObject({ trainMs: null, waitMs: null });
});

test("training on under the exchange hides it, and waits less", () => {
  const offered = (peer: RoundPeer) => Number(peer.offeredAt);
  const half = withPeers((peer) => ({ busyUntil: offered(peer) + (Number(round.sealedAt) - offered(peer)) / 2 }));
  expect(hiddenShare(half)).toBeCloseTo(0.5);
  expect(spansOf(half, half.peers[0])).toMatchObject({ hiddenMs: 3_750, waitMs: 1_250 });
  expect(hiddenShare(round)).toBe(0);
  expect(hiddenShare(withPeers(() => ({ offeredAt: null })))).toBeNull();
});

test("the story names who was waited for, and only when it was one", () => {
  expect(storyOf(en, round)).toBe(
    "Round 37 took 27 s. From commit to seal it exchanged and folded for 2.5 s. Everybody waited 2.4 s for peer cccccc·1.",
  );
  const together = withPeers(() => ({ offeredAt: round.openedAt + 20_000 }));
  expect(storyOf(en, together)).not.toContain("waited");
});
