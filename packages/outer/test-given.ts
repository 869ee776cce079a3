// What the tests of this package are given: a spec small enough to fold by hand, seeded values, a commit around updates.
import { blobName, type EntryOf, presets, type RunSpec } from "#wire";
import { codecOf } from "./codec/index.ts";
import { encodeUpdate } from "./update.ts";

const shard = { hash: "ab".repeat(32), bytes: 1032, tokens: 500 };

/** A model of a few hundred parameters. Everything that golden hashes depend on is written out: tuning a preset must not change them. */
export function tinySpec(): RunSpec {
  const { corpus, ...draft } = presets.nano;
  return {
    ...draft,
    data: { source: corpus.source, licence: corpus.licence, tokenizer: "bytes", train: [shard], evaluation: [shard] },
    hostKey: "cd".repeat(32),
    seed: 1,
    model: {
      vocabSize: 16,
      dModel: 8,
      layers: 1,
      heads: 2,
      kvHeads: 1,
      dFfn: 12,
      contextLength: 8,
      ropeTheta: 10_000,
      normEps: 1e-5,
      tiedEmbedding: true,
    },
    inner: { ...draft.inner, steps: 20, windowsPerStep: 8 },
    outer: {
      method: "diloco",
      learningRate: 0.7,
      momentum: 0.9,
      codec: "int8-block",
      blockSize: 256,
      clipToMedianNorm: true,
    },
  };
}

/** Values in [-size, size), seeded. */
export function noise(seed: number, length: number, size = 1): Float32Array {
  let state = seed | 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state / 2 ** 31) * size;
  });
}

export const BASE_HASH = "5a".repeat(32);
export const peerOf = (n: number): string => `${n.toString(16).padStart(64, "0")}00`;

export interface Given {
  peer: string;
  tokens: number;
  delta: Float32Array;
}

/** A commit of those pseudo-gradients and the blobs that it names; `tamper` changes encoded bytes before they are named. */
export function commitOf(
  round: number,
  given: readonly Given[],
  tamper: (bytes: Uint8Array, peer: string) => void = () => {},
  spec: RunSpec = tinySpec(),
  shared?: Float32Array, // section "codec" of the state before the round
) {
  const blobByName = new Map<string, Uint8Array>();
  const contributors = given.map(({ peer, tokens, delta }) => {
    const bytes = encodeUpdate({ round, baseHash: BASE_HASH, tokens, delta, codec: codecOf(spec).at(round, shared) });
    tamper(bytes, peer);
    const update = blobName(bytes);
    blobByName.set(update, bytes);
    const offer = {
      round,
      openSeq: 0,
      baseHash: BASE_HASH,
      peer,
      update,
      bytes: bytes.length,
      tokens,
      steps: 20,
      loss: 5,
    };
    return { ...offer, signature: "00".repeat(64) };
  });
  const chain = { version: 1, seq: 1, prevHash: BASE_HASH, time: 0, signature: "00".repeat(64) } as const;
  const commit: EntryOf<"commit"> = { ...chain, type: "commit", round, openSeq: 0, baseHash: BASE_HASH, contributors };
  return { commit, blob: (name: string) => blobByName.get(name) };
}
