import { describe, expect, test } from "vitest";
import { pairsOf } from "../topology/pairs.ts";
import { noLoCoStep } from "./noloco.ts";

const one = (phi: number, m: number) => ({ parameters: Float32Array.of(phi), velocity: Float32Array.of(m) });

describe("NoLoCo's outer step", () => {
  test("moves by the momentum and the way to the pair's mean", () => {
    const state = one(1, 0.5);
    noLoCoStep(state, Float32Array.of(3), { learningRate: 0.5, momentum: 0.25 });
    expect(state).toEqual(one(2.125, 1.125)); // m = 0.25 · 0.5 + 0.5 · (3 − 1)
  });

  test("is the paper's step with both vectors sent, to rounding", () => {
    const [phiA, thetaA, phiB, thetaB, m] = [0.3, 0.1, -0.2, 0.4, 0.05];
    const state = one(phiA, m);
    noLoCoStep(state, Float32Array.of((thetaA + thetaB) / 2), { learningRate: 0.7, momentum: 0.5 });
    const ascent = (thetaA - phiA + thetaB - phiB) / 2;
    const moved = 0.5 * m + 0.7 * ascent + 0.7 * ((phiA + phiB) / 2 - phiA);
    expect(state.velocity[0]).toBeCloseTo(moved, 6);
    expect(state.parameters[0]).toBeCloseTo(phiA + moved, 6);
  });

  test("one that is alone at rate 1 without momentum becomes what it trained", () => {
    const state = one(5, 0);
    noLoCoStep(state, Float32Array.of(-7.5), { learningRate: 1, momentum: 0 });
    expect(state).toEqual(one(-7.5, -12.5));
  });

  test("an element that is no number keeps what it had, and no negative zero stays", () => {
    const state = { parameters: Float32Array.of(1, 2, 0), velocity: Float32Array.of(3, 4, -0) };
    const given = { learningRate: 1, momentum: 0 };
    noLoCoStep(state, Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, -0), given);
    expect([...state.parameters]).toEqual([1, 2, 0]);
    expect([...state.velocity]).toEqual([3, 4, 0]);
    expect(Object.is(state.parameters[2], -0)).toBe(false);
  });

  const disagreementAfter = (momentum: number, learningRate: number, rounds: number): number => {
    const ids = Array.from({ length: 32 }, (_, i) => String(i).padStart(2, "0"));
    const stateBy = new Map(ids.map((id, i) => [id, one(Math.sin(1 + 37 * i), 0)]));
    const spread = (): number => {
      const values = [...stateBy.values()].map(({ parameters }) => parameters[0]);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    };
    const before = spread();
    for (let round = 0; round < rounds; round++)
      for (const [a, b] of pairsOf({ round, contributors: ids.map((peer) => ({ peer })) }, 1)) {
        const mean = Float32Array.of((stateBy.get(a)!.parameters[0] + stateBy.get(b)!.parameters[0]) / 2);
        for (const id of [a, b]) noLoCoStep(stateBy.get(id)!, mean, { learningRate, momentum });
      }
    return spread() / before;
  };

  test("peers agree within the window of its rate, and part beyond it", () => {
    expect(disagreementAfter(0.5, 0.7, 40)).toBeLessThan(1e-3);
    expect(disagreementAfter(0.9, 0.2, 200)).toBeLessThan(0.2);
    expect(disagreementAfter(0.9, 0.7, 40)).toBeGreaterThan(2);
  });
});
