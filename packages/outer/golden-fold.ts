// Folds whose hashes hold for ever (mathVersion 1), in every JavaScript engine: fold.test.ts asks Node, fold.gpu.test.ts Chromium.
import { foldCommit } from "./fold.ts";
import { genesisState } from "./state.ts";
import { commitOf, type Given, noise, peerOf, tinySpec } from "./test-given.ts";

export const goldenSpec = tinySpec();
const { steps, windowsPerStep } = goldenSpec.inner;
const assignmentTokens = steps * windowsPerStep * goldenSpec.model.contextLength;

/** Three contributions, one of which has half of the assignment. */
export function goldenContributions(size = 0.01): Given[] {
  const { length } = genesisState(goldenSpec).parameters;
  return [1, 2, 3].map((n) => ({
    peer: peerOf(n),
    tokens: n === 3 ? assignmentTokens / 2 : assignmentTokens,
    delta: noise(n, length, size),
  }));
}

/** Two rounds of plain numbers (an independent Python fold gives the same). */
export const PLAIN = [
  "3ee444ccd1620e073099252696cadcbf5bc24449f9a296bb742c29d043685740",
  "9a33dc93f70de13be1cbf095285dadab117bbbca7b8445a7076c9f47b2cb15c3",
];
/** Rounds of subnormal numbers, of ones near the largest float (elements that overflow keep their value), and of zeros of both signs. */
export const AWKWARD = [
  "c644a706d95c61245c64cc5c7a7982f55da20b976b24532f518bb68331682948",
  "8c22cc49f10f9fd9bdb1a5db5138b74d13faa1cbfe6e94d96a964aa572838489",
  "30de457d58be4ebc6ced590be238a742bfc60a67c4b15972db608a2e135ab2a2",
];

function foldRounds(sizes: readonly number[]): string[] {
  const state = genesisState(goldenSpec);
  return sizes.map((size, round) => {
    const { commit, blob } = commitOf(round, goldenContributions(size));
    return foldCommit(state, goldenSpec, commit, blob).anchorHash;
  });
}

export const plainHashes = (): string[] => foldRounds([0.01, 0.01]);
export const awkwardHashes = (): string[] => foldRounds([1e-41, 3e38, -0]);
