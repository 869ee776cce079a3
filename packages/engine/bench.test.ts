import { expect, test } from "vitest";
import { presets } from "#wire";
import { modelFlops } from "./bench.ts";

test("a nano step counts its linear layers and causal attention three times, and nothing else", () => {
  const { model } = presets.nano; // d=64 L=2 F=172 V=256 T=64
  const weights = 2 * (4 * 64 * 64 + 3 * 64 * 172) + 256 * 64;
  const pairs = (64 * 65) / 2; // each query with the keys up to its own
  const perSequence = 2 * weights * 64 + 2 * (2 * 2 * pairs * 64);
  expect(modelFlops(model, 8)).toBe(3 * 8 * perSequence);
});
