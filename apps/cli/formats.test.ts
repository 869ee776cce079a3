// docs/FORMATS.md is enough for a second implementation: second-reader.ts knows nothing else, and arrives at the same bits.
import { expect, test } from "vitest";
import { windowStart } from "#data";
import {
  anchorHashOf,
  baseBlobs,
  baseHashOf,
  codecOf,
  encodeUpdate,
  foldCommit,
  genesisState,
  parameterTable,
} from "#outer";
import {
  blobName,
  type EntryBody,
  type EntryOf,
  identityFrom,
  type LogEntry,
  type NamedCodecSpec,
  peerIdOf,
  presets,
  type RunSpec,
  runIdOf,
  signEntry,
  signOffer,
} from "#wire";
import { firstToken, readRun } from "./second-reader.ts";

const key = (n: number) => identityFrom(new Uint8Array(32).fill(n));
const host = key(1);
const { corpus, ...draft } = presets.nano;
const shard = { hash: "ab".repeat(32), bytes: 1032, tokens: 500 };
const spec: RunSpec = {
  ...draft,
  name: 'ünïcode \u2028 "quoted"',
  data: { source: corpus.source, licence: corpus.licence, tokenizer: "bytes", train: [shard], evaluation: [shard] },
  hostKey: host.volunteer,
  model: { ...draft.model, dModel: 16, dFfn: 20, vocabSize: 24, contextLength: 8, tiedEmbedding: false, kvHeads: 1 },
};
const { blockSize: _, ...outer } = spec.outer;
const codec = { name: "chunk-top-k" as const, chunk: 1024 as const, k: 32, feedback: 0.9 };
const sparse: RunSpec = { ...spec, version: 3, outer: { ...outer, codec } };
const adaptive: RunSpec = { ...spec, version: 3, outer: { ...spec.outer, method: "fedyogi", beta2: 0.99, tau: 1e-3 } };
const gradients: RunSpec = {
  ...spec,
  version: 4,
  inner: { ...spec.inner, warmupTokens: 6000 },
  outer: { ...spec.outer, extract: "gradient", method: "adamw", learningRate: 1, momentum: 0 },
};
const late: RunSpec = {
  ...{ ...spec, version: 4, rounds: { ...spec.rounds, overlap: true } },
  outer: { ...spec.outer, method: "co2", momentum: 0.5, momentumClip: 0.01 },
};
const pairs: RunSpec = {
  ...{ ...spec, version: 4, rounds: { ...spec.rounds, topology: "pairs" } },
  outer: { ...outer, method: "noloco", extract: "parameters", codec: { name: "f16" }, clipToMedianNorm: false },
};
const { length } = parameterTable(spec.model);
const weights = noise(99, 0.3);
const [baseBytes] = baseBlobs(weights);
const base = {
  ...{ source: "a test", licence: "CC0-1.0", hash: baseHashOf([baseBytes]) },
  blobs: [{ hash: blobName(baseBytes), bytes: baseBytes.length }],
};
const lora = { rank: 3, alpha: 6, targets: ["down" as const, "q" as const, "v" as const] };
const continued: RunSpec = { ...spec, version: 5, base };
const adapting: RunSpec = { ...continued, lora };

function noise(seed: number, size: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state / 2 ** 31) * size;
  });
}

/** Those of version 4. */
const codecs: readonly NamedCodecSpec[] = [
  { name: "f32" },
  { name: "f16" },
  { name: "int4-block" },
  { name: "int4-block", rotated: true, feedback: 1 },
  { name: "e3m0" },
  { name: "e3m0", entropy: "rans" },
  { name: "sign", feedback: 1 },
  { name: "two-bit", feedback: 0.9 },
  { name: "dynamic8" },
  { name: "rand-k", every: 8, feedback: 1 },
  { name: "top-k", every: 30, feedback: 1 },
  { name: "power-sgd", rank: 2, feedback: 1 },
];

/** A run of three rounds: four peers, one of them with half of the work, one whose update in round 1 is spoiled. */
function signedRun(spec: RunSpec): { log: LogEntry[]; blobs: Map<string, Uint8Array> } {
  const run = runIdOf(spec);
  const log: LogEntry[] = [];
  const blobs = new Map<string, Uint8Array>();
  const append = (body: EntryBody) => log.push(signEntry(host, run, log.at(-1), 1_700_000_000_000 + log.length, body));
  const state = genesisState(spec, weights);
  blobs.set(base.blobs[0].hash, baseBytes);
  const peers = [2, 3, 4, 5].map((n) => ({ identity: key(n), id: peerIdOf(key(n).volunteer, n % 2) }));
  const assignment = spec.inner.steps * spec.inner.windowsPerStep * spec.model.contextLength;
  for (let round = 0; round < 3; round++) {
    const baseHash = anchorHashOf(state);
    const place = { cursor: round * 640, tokensBefore: round * 4000, deadlineMs: 5_000 };
    append({ type: "open", round, roster: peers.map(({ id }) => id).sort(), baseHash, ...place });
    const openSeq = log.length - 1;
    const contributors = peers.map(({ identity, id }, n) => {
      const tokens = n === 3 ? assignment / 2 : assignment;
      const codec = codecOf(spec).at(round, state.codec);
      const delta = noise(10 * round + n, n === 1 ? 3 : 0.01).subarray(0, codec.length);
      let update = encodeUpdate({ round, baseHash, tokens, delta, codec });
      if (round === 1 && n === 2) {
        if (spec.version < 4) new DataView(update.buffer).setFloat32(56, -1, true);
        else update = update.subarray(0, -1);
      }
      blobs.set(blobName(update), update);
      const offer = { round, openSeq, baseHash, peer: id, update: blobName(update), bytes: update.length };
      return signOffer(identity, run, { ...offer, tokens, steps: 20, loss: 5.5 - round / 3 });
    });
    contributors.sort((a, b) => (a.peer < b.peer ? -1 : 1));
    append({ type: "commit", round, openSeq, baseHash, contributors });
    const { anchorHash, refused } = foldCommit(
      state,
      spec,
      log.at(-1) as EntryOf<"commit">,
      (name) => blobs.get(name),
      {
        tokensBefore: round * 4000,
        rosterSize: peers.length,
      },
    );
    append({ type: "seal", round, anchorHash, attesters: [], refused });
  }
  return { log, blobs };
}

test.each<[string, RunSpec]>([
  ["int8 blocks", spec],
  ["chunked top-k", sparse],
  ...codecs.map((codec): [string, RunSpec] => [
    JSON.stringify(codec),
    { ...sparse, version: 4, outer: { ...outer, codec } },
  ]),
  ["two fragments", { ...spec, version: 4, outer: { ...spec.outer, fragments: 2 } }],
  [
    "three, of chunked top-k, adaptive",
    { ...sparse, version: 4, outer: { ...outer, method: "fedyogi", beta2: 0.99, tau: 1e-3, codec, fragments: 3 } },
  ],
  ["an adaptive outer step", adaptive],
  ["means that come late", late],
  ["gradients for one AdamW", gradients],
  ["peers that fold in pairs", pairs],
  ["weights that were there before", continued],
  ["adapters beside them", adapting],
  ["adapters in two fragments", { ...adapting, outer: { ...adapting.outer, fragments: 2 } }],
  ["adapters and one AdamW", { ...gradients, version: 5, base, lora }],
  ["another one", { ...adaptive, outer: { ...adaptive.outer, method: "fedadam" as const } }],
])(
  "a reader written from docs/FORMATS.md alone checks a signed run of %s and folds it to the same anchors",
  (_, spec) => {
    const { log, blobs } = signedRun(spec);
    const sealed = log.filter((entry) => entry.type === "seal");
    expect(sealed[1].refused.length).toBe(1);
    expect(readRun(spec, log, blobs)).toEqual(sealed.map(({ anchorHash }) => anchorHash));
  },
);

test("it refuses a log whose host, order, offer or anchor is another", () => {
  const { log, blobs } = signedRun(spec);
  const changed = (at: number, change: object) =>
    log.map((entry, seq) => (seq === at ? { ...entry, ...change } : entry));
  expect(() => readRun(spec, changed(4, { time: 1 }), blobs)).toThrow("entry 4 is not the host's");
  expect(() => readRun(spec, [log[0], ...log.slice(2)], blobs)).toThrow("entry 1 breaks the chain");
  expect(() => readRun({ ...spec, seed: 2 }, log, blobs)).toThrow("entry 0 breaks the chain");
  const forged = log.slice(0, 2).map((entry) => structuredClone(entry)) as LogEntry[];
  (forged[1] as EntryOf<"commit">).contributors[0].tokens -= 1;
  const { version: _, seq, prevHash, time, signature, ...body } = forged[1] as EntryOf<"commit">;
  expect([seq, prevHash, time, signature].length).toBe(4);
  forged[1] = signEntry(host, runIdOf(spec), log[0], 1, body);
  expect(() => readRun(spec, forged, blobs)).toThrow("an offer of entry 1 is not its peer's");
});

test("it reads the same windows of text", () => {
  const plan = { seed: 7, trainTokens: 100_000, contextLength: 64 };
  for (const index of [0, 1, 17, 1_560, 1_561, 1_562, 99_999])
    expect(firstToken(7, 100_000, 64, index)).toBe(windowStart(plan, index));
});
