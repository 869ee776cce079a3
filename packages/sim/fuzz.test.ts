import { expect, test } from "vitest";
import { fuzz } from "./fuzz.ts";
import { faultKinds, faultRates, noneStruck } from "./struck.ts";

/** `npm run sim -- fuzz` does more. */
const SEEDS = 200;

test(`whatever happens, the log stays one chain of true seals, and the swarm goes on (${SEEDS} seeds)`, {
  timeout: 600_000,
}, () => {
  const struck = noneStruck();
  let stormRounds = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = fuzz({ seed });
    stormRounds += result.stormRounds;
    for (const kind of faultKinds) struck[kind] += result.struck[kind];
  }
  for (const kind of faultKinds)
    expect(struck[kind] / SEEDS, `${kind} struck per seed`).toBeGreaterThanOrEqual(faultRates[kind]);
  expect(stormRounds).toBeGreaterThan(SEEDS); // faults strike in the middle of rounds, not only before the first
});
