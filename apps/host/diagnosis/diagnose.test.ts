// Rounds whose slow part is known, with noise as real ones have it: it is found, and nobody else is named.
import { describe, expect, test } from "vitest";
import { Random } from "../../../packages/sim/random.ts";
import { diagnose, type LinkSample, type PeerSample, type RoundSample } from "./diagnose.ts";

const name = (i: number): string => i.toString(16).padStart(66, "0");

interface Slow {
  readonly peer: number;
  readonly trainMs?: number;
  readonly uploadMs?: number;
  readonly foldMs?: number;
  readonly readyMs?: number;
}

interface Given {
  readonly seed: number;
  readonly peers: number;
  readonly rounds?: number;
  readonly slow?: readonly Slow[];
}

/** Machines that differ by a tenth, and noise of a tenth; now and then somebody hiccups for three seconds. */
function roundsOf({ seed, peers, rounds = 20, slow = [] }: Given): RoundSample[] {
  const random = new Random(seed);
  const speeds = Array.from({ length: peers }, () => 0.9 + 0.2 * random.unit());
  const noisy = (ms: number) => ms * (0.9 + 0.2 * random.unit());
  let now = 1e12;
  let sealedBeforeAt: number | null = null;
  return Array.from({ length: rounds }, () => {
    const hiccup = random.chance(0.15) ? random.int(peers) : -1;
    const extra = (i: number, part: keyof Omit<Slow, "peer">) =>
      slow.filter(({ peer }) => peer === i).reduce((sum, one) => sum + (one[part] ?? 0), 0);
    const ready = speeds.map((_, i) => now + noisy(100) + extra(i, "readyMs"));
    const openedAt = Math.max(...ready);
    const uploads = speeds.map((_, i) => noisy(300) + extra(i, "uploadMs"));
    const offers = speeds.map(
      (speed, i) => openedAt + noisy(8_000 * speed) + extra(i, "trainMs") + uploads[i] + (i === hiccup ? 3_000 : 0),
    );
    const committedAt = Math.max(...offers);
    const folds = speeds.map((_, i) => committedAt + noisy(500) + extra(i, "foldMs"));
    const sealedAt = Math.max(...folds);
    const sample: RoundSample = {
      ...{ openedAt, committedAt, sealedAt, sealedBeforeAt },
      peers: speeds.map(
        (_, i): PeerSample => ({
          peer: name(i),
          readyAt: ready[i],
          offeredAt: offers[i],
          uploadMs: uploads[i],
          foldedAt: folds[i],
        }),
      ),
    };
    sealedBeforeAt = sealedAt;
    now = sealedAt;
    return sample;
  });
}

/** All linked with all. */
function linksOf(
  peers: number,
  changed: (link: LinkSample, from: number, to: number) => Partial<LinkSample> = () => ({}),
) {
  const links: LinkSample[] = [];
  for (let i = 0; i < peers; i++)
    for (let j = 0; j < peers; j++) {
      if (i === j) continue;
      const link = {
        peer: name(i),
        other: name(j),
        bytesReceived: 1e6 + 1e4 * ((3 * i + j) % 7),
        rttMs: 40 + ((i + j) % 5) * 10,
      };
      links.push({ ...link, ...changed(link, i, j) });
    }
  return links;
}

describe.each([1, 2, 3, 4, 5, 6, 7, 8])("seed %i", (seed) => {
  test.each([2, 3, 8, 32])("a healthy swarm of %i names nobody", (peers) => {
    expect(diagnose(roundsOf({ seed, peers }), linksOf(peers))).toEqual([]);
  });

  test.each([
    ["trains-slowly", { trainMs: 6_000 }],
    ["uploads-slowly", { uploadMs: 6_000 }],
    ["fetches-slowly", { foldMs: 6_000 }],
    ["joins-late", { readyMs: 6_000 }],
  ] as const)("one peer of eight %s: it alone is named, with what it costs", (cause, extra) => {
    const found = diagnose(roundsOf({ seed, peers: 8, slow: [{ peer: 5, ...extra }] }), linksOf(8));
    expect(found.map(({ kind, peer, cause }) => [kind, peer, cause])).toEqual([["peer", name(5), cause]]);
    expect(found[0].secondsPerRound).toBeGreaterThan(4);
    expect(found[0].secondsPerRound).toBeLessThan(8);
    expect(found[0].rounds).toBeGreaterThanOrEqual(15);
    expect(found[0].of).toBe(20);
  });

  test("two slow ones are both named: neither hides the other", () => {
    const slow = [
      { peer: 1, trainMs: 7_000 },
      { peer: 4, trainMs: 7_000 },
    ];
    const found = diagnose(roundsOf({ seed, peers: 8, slow }), linksOf(8));
    expect(found.map(({ peer }) => peer).sort()).toEqual([name(1), name(4)]);
    expect(Math.min(...found.map(({ secondsPerRound }) => secondsPerRound))).toBeGreaterThan(4);
  });

  test("of two peers the slow one is named", () => {
    const found = diagnose(roundsOf({ seed, peers: 2, slow: [{ peer: 0, trainMs: 9_000 }] }), []);
    expect(found.map(({ peer, cause }) => [peer, cause])).toEqual([[name(0), "trains-slowly"]]);
  });

  test("one link that does not drain, or brings nothing, is named instead of the peer behind it", () => {
    const rounds = roundsOf({ seed, peers: 8, slow: [{ peer: 2, foldMs: 5_000 }] });
    const isBad = (from: number, to: number) => from === 2 && to === 6;
    const bads: Partial<LinkSample>[] = [{ rttMs: 4_000 }, { bytesReceived: 2_000 }];
    for (const bad of bads) {
      const found = diagnose(
        rounds,
        linksOf(8, (_, i, j) => (isBad(i, j) ? bad : {})),
      );
      expect(found.map(({ kind, peer, other }) => [kind, peer, other])).toEqual([["link", name(2), name(6)]]);
      expect(found[0].cause).toBe("link-stalls");
    }
    const all = diagnose(
      rounds,
      linksOf(8, (_, i) => (i === 2 ? { rttMs: 4_000 } : {})),
    );
    expect(all.map(({ kind, cause }) => [kind, cause])).toEqual([["peer", "fetches-slowly"]]);
  });

  test("a bad link that holds nobody up is not named, and few rounds name nobody", () => {
    const bad = linksOf(8, (_, i, j) => (i === 2 && j === 6 ? { rttMs: 4_000 } : {}));
    expect(diagnose(roundsOf({ seed, peers: 8 }), bad)).toEqual([]);
    expect(diagnose(roundsOf({ seed, peers: 8, rounds: 4, slow: [{ peer: 5, trainMs: 6_000 }] }), [])).toEqual([]);
  });
});
