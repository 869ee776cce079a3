import { expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";

/** GOSSAMER_SEEDS=2000 for a longer run; a failure names its seed. */
const seeds = Number(process.env.GOSSAMER_SEEDS ?? 200);
const first = Number(process.env.GOSSAMER_SEED ?? 1);

test(`whatever happens, the log stays one chain of true seals, and the swarm goes on (${seeds} seeds)`, {
  timeout: 600_000,
}, () => {
  const happened = new Map<string, number>();
  let rounds = 0;
  let lost = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const result = fuzz(seed);
    rounds += result.rounds;
    lost += result.lost;
    for (const [fault, times] of Object.entries(result.faults)) happened.set(fault, (happened.get(fault) ?? 0) + times);
  }
  for (const [fault, times] of happened) expect(times, fault).toBeGreaterThan(0);
  expect(rounds).toBeGreaterThan(8 * seeds);
  expect(lost).toBeGreaterThan(0);
});
