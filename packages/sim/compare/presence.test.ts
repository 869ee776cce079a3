import { describe, expect, test } from "vitest";
import { HAZARD_STEPS, Presence } from "./presence.ts";

const present = (presence: Presence, peer: number, steps: number): boolean[] =>
  Array.from({ length: steps }, (_, step) => presence.presentAt(peer, step));

describe("presence", () => {
  test("is the seed's alone: however it is asked, everybody meets the same churn", () => {
    const given = { seed: 3, peers: 4, churn: 0.5 };
    const forwards = present(new Presence(given), 2, 2_000);
    const other = new Presence(given);
    other.staysFor(3, 1_500, 1_900);
    other.presentAt(2, 1_999);
    expect(present(other, 2, 2_000)).toEqual(forwards);
    expect(present(new Presence({ ...given, seed: 4 }), 2, 2_000)).not.toEqual(forwards);
  });

  test("so many leave in a hundred steps, and are away for a hundred on average", () => {
    const churn = 0.2;
    const presence = new Presence({ seed: 1, peers: 50, churn });
    const steps = 20_000;
    let presentSteps = 0;
    let leaves = 0;
    for (let peer = 1; peer < 50; peer++) {
      const there = present(presence, peer, steps);
      presentSteps += there.filter(Boolean).length;
      leaves += there.filter((now, step) => !now && there[step - 1]).length;
    }
    expect(leaves / (presentSteps / HAZARD_STEPS)).toBeCloseTo(churn, 1);
    expect((49 * steps - presentSteps) / leaves / HAZARD_STEPS).toBeCloseTo(1, 0.5);
  });

  test("the first peer stays, and without churn everybody does", () => {
    expect(new Presence({ seed: 1, peers: 2, churn: 1 }).staysFor(0, 0, 100_000)).toBe(true);
    expect(new Presence({ seed: 1, peers: 2, churn: 0 }).staysFor(1, 0, 100_000)).toBe(true);
    expect(new Presence({ seed: 1, peers: 2, churn: 1 }).staysFor(1, 0, 100_000)).toBe(false);
  });
});
