import { expect, test } from "vitest";
import { Simulation } from "./simulation.ts";
import { spread } from "./spread.ts";

test.each([
  [12, 12, 4],
  [32, 4, 4],
])(
  "[R41] %i peers of which %i made a blob of %i pieces, at 20 Mbit/s: nobody sends more than twice the median, the host nothing",
  (peers, contributors, pieces) => {
    const { mostOverMedian, bytesFromHost, lastMs, lineMs } = spread({
      seed: 1,
      peers,
      contributors,
      pieces,
      mbit: 20,
      delayMs: 20,
    });
    expect(mostOverMedian).toBeLessThanOrEqual(2);
    expect(bytesFromHost).toBe(0);
    expect(lastMs).toBeLessThan(2 * lineMs + 1_000);
  },
);

test("[R39] rounds go on when each update is many pieces, links lose and change frames, and a peer leaves in the middle", () => {
  const shares = { "frame-lost": 0.02, "frame-late": 0.05, "frame-changed": 0.002 };
  const sim = new Simulation({ seed: 5, peers: 6, pieceBytes: [250, 125], network: { shares } }).startAll();
  sim.runRounds(3);
  sim.peers[0].crash();
  sim.runRounds(3);
  sim.peers[0].start();
  sim.runRounds(3);
  sim.checkAll();
  expect(sim.peerFetches).toBeGreaterThan(60);
});
