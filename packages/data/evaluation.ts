// The evaluation set: a fixed slice of the held-out text, the same for every peer, round and replay. Its hash stands in each `eval` entry.
import { canonicalBytes, hashHex } from "#wire";
import type { TokenSource } from "./token-source.ts";

export interface EvaluationSet {
  readonly windows: readonly Uint16Array[]; // each T+1 ids
  readonly setHash: string;
}

/**
 * First tokens of n windows of T+1 ids, evenly spaced from the first token to the last; fewer than `windows` when so many would overlap.
 * RangeError when the text holds none.
 */
export function evaluationStarts(tokens: number, contextLength: number, windows: number): number[] {
  const n = Math.min(windows, Math.floor((tokens - 1) / contextLength));
  if (n < 1)
    throw new RangeError(
      `evaluation data: ${tokens} tokens hold no window of ${contextLength + 1}; give more text or a larger evaluationPart`,
    );
  const last = tokens - contextLength - 1;
  return Array.from({ length: n }, (_, i) => (n === 1 ? 0 : Math.floor((i * last) / (n - 1))));
}

/** `shardHashes` names the split's shards in the spec's order; `source` is what they decode to. */
export function evaluationSet(
  source: TokenSource,
  shardHashes: readonly string[],
  { contextLength, windows }: { readonly contextLength: number; readonly windows: number },
): EvaluationSet {
  const starts = evaluationStarts(source.length, contextLength, windows);
  const description = { kind: "gossamer evaluation set v1", shards: shardHashes, contextLength, starts };
  return {
    windows: starts.map((start) => source.windowAt(start, contextLength + 1)),
    setHash: hashHex(canonicalBytes(description)),
  };
}
