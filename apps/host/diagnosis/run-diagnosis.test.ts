import { expect, test } from "vitest";
import type { PeerId, RoundTimes } from "#wire";
import { RunDiagnosis } from "./run-diagnosis.ts";

const name = (i: number): PeerId => i.toString(16).padStart(66, "0");

/** Eight seconds a round, and one peer that uploads for five more. */
const timesOf = (round: number): RoundTimes => {
  const openedAt = 20_000 * round;
  const peers = [0, 1, 2, 3].map((i) => ({
    peer: name(i),
    name: `peer ${i}`,
    readyAt: openedAt - 50,
    offeredAt: openedAt + 8_000 + 10 * i + (i === 3 ? 5_000 : 0),
    uploadMs: i === 3 ? 5_200 : 200,
    busyUntil: null,
    foldedAt: openedAt + 14_000,
    agrees: true,
    ...{ named: true, tokens: 1, loss: 1, bytes: 1 },
  }));
  return {
    ...{ round, openedAt, committedAt: openedAt + 13_030, sealedAt: openedAt + 14_000, voided: null, anchorHash: null },
    ...{ rosterSize: 4, attesters: 4, peers, peersTotal: 4, refused: [] },
  };
};

test("a run's rounds are looked at after each seal; the operator hears of a thing once", () => {
  const lines: string[] = [];
  let now = 0;
  let sealed = 0;
  const diagnosis = new RunDiagnosis({
    rounds: {
      get length() {
        return sealed;
      },
      of: (round) => (round >= 0 && round < sealed ? timesOf(round) : undefined),
    },
    peers: () => [0, 1, 2, 3].map((i) => ({ id: name(i), links: [] })),
    nameOf: (peer) => (peer === name(3) ? "Ada" : ""),
    now: () => now,
    report: (line) => lines.push(line),
  });
  for (sealed = 1; sealed <= 40; sealed++) {
    now += 20_000;
    diagnosis.sealed();
  }
  expect(diagnosis.newest).toMatchObject({ rounds: 20, medianRoundMs: 14_000 });
  expect(diagnosis.newest.findings).toMatchObject([
    { kind: "peer", peer: name(3), name: "Ada", cause: "uploads-slowly", rounds: 20, of: 20 },
  ]);
  expect(diagnosis.newest.findings[0].secondsPerRound).toBeCloseTo(5, 1);
  expect(lines).toEqual(["Peer Ada (00000000) uploads slowly: it costs 5.0 s a round, in 5 of the last 5 rounds."]);
  now += 30 * 60_000;
  diagnosis.sealed();
  expect(lines).toHaveLength(2);
});
