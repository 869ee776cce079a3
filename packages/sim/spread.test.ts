import { expect, test } from "vitest";
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
