// The run spec: everything that fixes what a run computes. Its canonical JSON (RFC 8785) is hashed, and that hash is the run's id,
// so two hosts that agree on the id agree on the model, the data, the method and the host's key.
//
//   preset or FILE.json (RunDraft: what the operator writes)  --host adds its key and the shards' hashes-->  RunSpec
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import canonicalize from "canonicalize";
import * as z from "zod/mini";
import { codecSchema } from "./codecs.ts";
import { hashSchema } from "./hash.ts";
import { count, positive, text } from "./spec-basics.ts";
import { corpusSchema, dataRefSchema } from "./spec-data.ts";
import { baseDraftSchema, baseRefSchema, loraSchema, refuseAdapters } from "./spec-lora.ts";
import { refuseStacks } from "./stacks.ts";

export { hashSchema };

/** What a schema has no words of its own for: zod's small build, a third of the whole one's size, brings none. */
z.config(z.locales.en());

/** The newest that this build writes; it reads all of them. An older one may not use what `newerFields` says came later. */
export const SPEC_VERSION = 6;
/** Version of decode, combine and outer step. A log replays with the version it was made with, or is refused by name. */
export const MATH_VERSION = 1;

/** Another version is refused by its number: what it means is not for this build to guess. */
const versionSchema = <T extends number>(...versions: readonly T[]) =>
  z.literal(versions, {
    error: ({ input }) =>
      `${JSON.stringify(input)} is unknown: this build reads version ${versions.join(", ").replace(/, (\d+)$/, " and $1")}`,
  });

export const publicKeySchema = z
  .string()
  .check(z.regex(/^[0-9a-f]{64}$/, "an Ed25519 public key as 64 lower-case hex digits"));

/** Llama-style decoder. Sizes: V vocabulary, C model width, L layers, NH heads, F feed-forward width, T context length. */
export const modelSchema = z
  .strictObject({
    vocabSize: count(65_536).check(z.describe("V; token ids are 16 bits in shards")),
    dModel: count(8192).check(
      z.multipleOf(4),
      z.describe("C, the width of the residual stream; kernels read four values at once"),
    ),
    layers: count(128).check(z.describe("L")),
    heads: count(128).check(z.describe("query heads; divides dModel into a multiple of 4")),
    kvHeads: count(128).check(z.describe("key and value heads (grouped attention); divides heads")),
    dFfn: count(32_768).check(z.multipleOf(4), z.describe("width of the feed-forward layer")),
    contextLength: count(32_768).check(z.describe("T, tokens of a window")),
    ropeTheta: positive.check(z.describe("base of the rotary embedding")),
    normEps: positive.check(z.describe("of RMSNorm")),
    tiedEmbedding: z.boolean().check(z.describe("whether the head is the embedding")),
    residual: z
      .optional(z.literal("ladder"))
      .check(z.describe("each block reads the stream without what the block just before it adds; absent: with it")),
  })
  .check(
    z.refine((m) => m.dModel % m.heads === 0, {
      path: ["heads"],
      error: "must divide dModel (for example dModel 64, heads 2)",
    }),
    z.refine((m) => (m.dModel / m.heads) % 4 === 0, {
      path: ["heads"],
      error: "dModel / heads must be a multiple of 4",
    }),
    z.refine((m) => m.heads % m.kvHeads === 0, {
      path: ["kvHeads"],
      error: "must divide heads (for example heads 4, kvHeads 2)",
    }),
  );
export type ModelShape = z.infer<typeof modelSchema>;

/** Inner optimizer: AdamW with the run's schedule. The schedule counts tokens committed before the round, plus the inner step. */
export const innerSchema = z.strictObject({
  steps: count(10_000).check(z.describe("H, inner steps of a round, equal for all peers")),
  growth: z
    .optional(positive)
    .check(
      z.describe(
        "a: a round has (a / rate)² steps where that is more than steps (sim compare and bench run alone); absent: all rounds have steps",
      ),
    ),
  lateExchanges: z
    .optional(z.number().check(z.gt(0), z.lt(1)))
    .check(
      z.describe(
        "part of a run's exchanges that lie in its last tenth, by rounds of another length (sim compare and bench run alone); absent: evenly",
      ),
    ),
  windowsPerStep: count(4096).check(z.describe("sequences of T tokens that a full-speed peer takes per inner step")),
  learningRate: positive.check(z.maximum(1), z.describe("AdamW's, after the warm-up")),
  learningRateMin: z.number().check(z.minimum(0), z.maximum(1), z.describe("where the decay ends")),
  warmupTokens: z.int().check(z.minimum(0), z.describe("committed tokens over which the rate rises from 0")),
  decayTokens: z
    .int()
    .check(
      z.minimum(0),
      z.describe("linear decay over the last so many tokens before end.tokensMax; 0: constant after the warm-up"),
    ),
  beta1: z.number().check(z.minimum(0), z.lt(1), z.describe("AdamW's")),
  beta2: z.number().check(z.minimum(0), z.lt(1), z.describe("AdamW's")),
  eps: positive.check(z.maximum(1), z.describe("AdamW's")),
  weightDecay: z.number().check(z.minimum(0), z.maximum(1), z.describe("decoupled; of matrices alone")),
  clipNorm: positive.check(z.describe("of the whole gradient, before each step")),
  resetMoments: z
    .optional(z.boolean())
    .check(z.describe("both moments are zero at the start of each round (FedAvg); absent: a peer's own, kept")),
});

const isAdaptive = (method: string): boolean => ["fedadagrad", "fedadam", "fedyogi"].includes(method);

export const outerSchema = z
  .strictObject({
    extract: z
      .optional(z.enum(["gradient", "parameters", "tracked"]))
      .check(
        z.describe(
          "what peers send: the anchor's gradient; the parameters that they trained; or parameters and a tracked gradient (sim compare alone); absent: the pseudo-gradient, how far their inner steps went",
        ),
      ),
    fragments: z
      .optional(z.int().check(z.minimum(2), z.maximum(129)))
      .check(z.describe("F: round r exchanges fragment r mod F of the model; absent: all of it")),
    merge: z
      .optional(z.strictObject({ keepLocal: z.number().check(z.gt(0), z.lt(1)) }))
      .check(
        z.describe("keepLocal: how much of what trains stays at a seal; absent: all that was trained since the offer"),
      ),
    method: z
      .enum(["diloco", "co2", "fedadagrad", "fedadam", "fedyogi", "adamw", "noloco", "dsgt"])
      .check(z.describe("the outer optimizer")),
    learningRate: positive.check(z.maximum(2), z.describe("of the outer step")),
    momentum: z
      .number()
      .check(
        z.minimum(0),
        z.lt(1),
        z.describe("diloco: Nesterov's; co2 and noloco: a heavy ball's; the adaptive methods': beta1"),
      ),
    beta2: z
      .optional(z.number().check(z.minimum(0), z.lt(1)))
      .check(z.describe("fedadam's and fedyogi's: how much of the variance stays")),
    tau: z
      .optional(positive.check(z.maximum(1)))
      .check(z.describe("the adaptive methods': what is added to the root of the variance")),
    momentumClip: z.optional(positive).check(z.describe("co2's: no value of its momentum is larger; absent: as it is")),
    correctsVariance: z
      .optional(z.literal(true))
      .check(z.describe("noloco's: a pair's mean gets its models' variance back, matrix by matrix; absent: as it is")),
    codec: codecSchema.check(z.describe("how updates become bytes")),
    blockSize: z.optional(z.literal(256)).check(z.describe("int8-block's, and always there with it")),
    clipToMedianNorm: z.boolean().check(z.describe("whether no update counts with more than the round's median norm")),
  })
  .check(
    z.refine(({ codec, blockSize }) => (codec === "int8-block") === (blockSize !== undefined), {
      path: ["blockSize"],
      error: 'belongs to codec "int8-block", and must be 256 there',
    }),
    z.refine(({ method, tau }) => isAdaptive(method) === (tau !== undefined), {
      path: ["tau"],
      error:
        'belongs to "fedadagrad", "fedadam" and "fedyogi": what is added to the root of the variance, for example 0.001',
    }),
    z.refine(({ method, correctsVariance }) => method === "noloco" || correctsVariance === undefined, {
      path: ["correctsVariance"],
      error: 'belongs to "noloco", whose peers fold parameters of their own; leave it out',
    }),
    z.refine(({ method, momentumClip }) => method === "co2" || momentumClip === undefined, {
      path: ["momentumClip"],
      error: 'belongs to "co2"; leave it out',
    }),
    z.refine(({ method, beta2 }) => (method === "fedadam" || method === "fedyogi") === (beta2 !== undefined), {
      path: ["beta2"],
      error: 'belongs to "fedadam" and "fedyogi": how much of the variance stays, for example 0.99',
    }),
  );

export const roundsSchema = z
  .strictObject({
    quorum: count(32).check(
      z.describe("a commit waits for so many offers, or for the whole roster, or for the deadline"),
    ),
    maxContributors: count(32).check(z.describe("updates that a commit names; of more, as many are drawn")),
    deadlineMinMs: z.int().check(z.minimum(500), z.maximum(3_600_000), z.describe("the least that a round is given")),
    deadlineMaxMs: z.int().check(z.minimum(500), z.maximum(3_600_000), z.describe("the most that a round is given")),
    durability: z
      .optional(z.enum(["host", "peers"]))
      .check(z.describe("who keeps updates and checkpoints; absent: the host")),
    holders: z
      .optional(z.int().check(z.minimum(2), z.maximum(8)))
      .check(
        z.describe('with durability "peers": how many hold an update beside its maker before it counts; absent: 2'),
      ),
    overlap: z
      .optional(z.boolean())
      .check(z.describe("train on while an update is exchanged; absent: wait for the next round")),
    topology: z
      .optional(z.literal("pairs"))
      .check(z.describe("each peer folds one other's update into parameters of its own; absent: all fold all")),
  })
  .check(
    z.refine((r) => r.deadlineMinMs <= r.deadlineMaxMs, {
      path: ["deadlineMinMs"],
      error: "must not exceed deadlineMaxMs",
    }),
    z.refine((r) => r.holders === undefined || r.durability === "peers", {
      path: ["holders"],
      error: 'means something only with durability "peers"',
    }),
  );

/** Peers that must hold an update beside its maker before it counts; undefined: the host keeps updates. */
export const holdersOf = ({ rounds }: { readonly rounds: z.infer<typeof roundsSchema> }): number | undefined =>
  rounds.durability === "peers" ? (rounds.holders ?? 2) : undefined;

/** What came after version 1: optional, so that a spec which does not use it keeps its version, and with it the run's id. */
const newerFields: readonly { path: readonly string[]; since: number; old?: unknown }[] = [
  { path: ["rounds", "overlap"], since: 2 },
  { path: ["rounds", "durability"], since: 2 },
  { path: ["rounds", "holders"], since: 2 },
  { path: ["outer", "codec"], since: 3, old: "int8-block" },
  { path: ["outer", "codec", "name"], since: 4, old: "chunk-top-k" },
  { path: ["outer", "method"], since: 3, old: "diloco" },
  { path: ["inner", "resetMoments"], since: 4 },
  { path: ["inner", "growth"], since: 4 },
  { path: ["inner", "lateExchanges"], since: 4 },
  { path: ["rounds", "topology"], since: 4 },
  { path: ["outer", "extract"], since: 4 },
  { path: ["outer", "fragments"], since: 4 },
  { path: ["outer", "merge"], since: 4 },
  { path: ["outer", "momentumClip"], since: 4 },
  { path: ["outer", "correctsVariance"], since: 4 },
  { path: ["base"], since: 5 },
  { path: ["lora"], since: 5 },
  { path: ["evaluation", "prompts"], since: 5 },
  { path: ["evaluation", "sampleTokens"], since: 5 },
  { path: ["corpus", "kind"], since: 5, old: ["sotu", "file"] },
  { path: ["corpus", "tokenizer"], since: 5, old: "bytes" },
  { path: ["corpus", "clean"], since: 5 },
  { path: ["corpus", "deduplicate"], since: 5 },
  { path: ["corpus", "tokensPerShard"], since: 5 },
  { path: ["data", "tokenizer"], since: 5, old: "bytes" },
  { path: ["corpus", "mixedShards"], since: 5 },
  { path: ["data", "mixedShards"], since: 5 },
  { path: ["data", "parts"], since: 5 },
  { path: ["data", "manifest"], since: 5 },
  { path: ["data", "evaluationBytes"], since: 5 },
  { path: ["model", "residual"], since: 6 },
];

function refuseNewerFields({ version, ...spec }: { version: number }, { addIssue }: z.core.$RefinementCtx): void {
  for (const { path, since, old } of newerFields) {
    const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], spec);
    if (value === undefined || [old].flat().includes(value) || version >= since) continue;
    addIssue({ code: "custom", path: [...path], message: `came with version ${since}: say "version": ${since}` });
  }
}

/** What the host's processor continues in minutes, also with a model of 100 million parameters: 8 times 256 tokens. */
export const PROMPTS_MAX = 8;
export const SAMPLE_TOKENS_MAX = 256;
const PROMPT_LENGTH_MAX = 400;

/** What draft and spec begin with. */
const about = {
  version: versionSchema(1, 2, 3, 4, 5, SPEC_VERSION).check(z.describe("of the spec's own format")),
  mathVersion: versionSchema(MATH_VERSION).check(
    z.describe("of decode, combine and outer step: a log replays with its own"),
  ),
  name: text(80).check(z.describe("of the run, for people")),
  operator: text(200).check(z.describe("who hosts it")),
  purpose: text(1000).check(z.describe("what volunteers give their time for")),
  modelLicence: text(200).check(z.describe("of the model that comes out")),
  seed: z
    .int()
    .check(
      z.minimum(0),
      z.maximum(0xffff_ffff),
      z.describe("of weights, data order, and whatever else everybody draws alike"),
    ),
};

/** What stands behind the model in both. */
const training = {
  lora: z.optional(loraSchema),
  inner: innerSchema,
  outer: outerSchema,
  rounds: roundsSchema,
  evaluation: z
    .strictObject({
      everyRounds: count(10_000).check(z.describe("how often the anchor is evaluated")),
      windows: count(4096).check(z.describe("of the held-out text")),
      prompts: z
        .optional(
          z
            .array(z.string().check(z.minLength(1), z.maxLength(PROMPT_LENGTH_MAX)))
            .check(z.minLength(1), z.maxLength(PROMPTS_MAX)),
        )
        .check(
          z.describe("the host lets the model continue each at every checkpoint, for everybody to read; absent: none"),
        ),
      sampleTokens: z.optional(count(SAMPLE_TOKENS_MAX)).check(z.describe("how far it continues a prompt; absent: 64")),
    })
    .check(
      z.refine(({ prompts, sampleTokens }) => sampleTokens === undefined || prompts !== undefined, {
        path: ["sampleTokens"],
        error: "is how far prompts are continued: name some, or leave it out",
      }),
    ),
  checkpoint: z.strictObject({
    everyRounds: count(10_000).check(z.describe("how often the anchor is stored")),
    retain: z
      .enum(["all", "window"])
      .check(z.describe("which updates are kept: all, or those since the oldest checkpoint")),
  }),
  end: z.strictObject({
    tokensMax: z.optional(z.int().check(z.positive())).check(z.describe("committed; absent: until the host ends it")),
    roundsMax: z.optional(count(10_000_000)).check(z.describe("sealed; absent: no bound")),
  }),
};

/**
 * What an operator writes: everything but the host's key and the hashes of the shards, which the host fills in. Pure, as all that only drafts are made of, so
 * that no page has it.
 */
const draftFields = /* @__PURE__ */ (() =>
  z.strictObject({
    ...about,
    corpus: corpusSchema,
    model: modelSchema,
    base: z.optional(baseDraftSchema),
    ...training,
  }))();
export const draftSchema = /* @__PURE__ */ (() =>
  draftFields.check(
    z.refine((d) => d.inner.steps * d.inner.windowsPerStep * d.model.contextLength <= 0xffff_ffff, {
      path: ["inner", "steps"],
      error: "times windowsPerStep times contextLength must be below 2^32: an update counts its tokens in 32 bits",
    }),
    z.superRefine(refuseNewerFields),
    z.superRefine(refuseStacks),
    z.superRefine(refuseAdapters),
  ))();
export type RunDraft = z.infer<typeof draftFields>;

export const specSchema = z
  .strictObject({
    ...about,
    corpus: z.optional(z.undefined()),
    model: modelSchema,
    base: z.optional(baseRefSchema),
    ...training,
    data: dataRefSchema,
    hostKey: publicKeySchema,
  })
  .check(z.superRefine(refuseNewerFields), z.superRefine(refuseStacks), z.superRefine(refuseAdapters));
export type RunSpec = z.infer<typeof specSchema>;

/** Every blob that a spec names: what its host must keep, serve and back up. */
export const specBlobs = ({
  data,
  base,
}: {
  readonly data: Omit<RunSpec["data"], "source" | "licence">;
  readonly base?: RunSpec["base"];
}): { readonly hash: string; readonly bytes: number }[] => [
  ...data.train,
  ...data.evaluation,
  ...(data.tokenizer === "bytes" ? [] : [data.tokenizer]),
  ...(data.manifest === undefined ? [] : [data.manifest]),
  ...(base?.blobs ?? []),
];

export type RunId = string;

/** RFC 8785 canonical JSON as UTF-8 bytes: the form that is hashed and signed. */
export function canonicalBytes(value: unknown): Uint8Array {
  const json = canonicalize(value);
  if (json === undefined) throw new TypeError("only JSON values have a canonical form");
  return utf8ToBytes(json);
}

export const hashHex = (bytes: Uint8Array): string => bytesToHex(sha256(bytes));

export const runIdOf = (spec: RunSpec): RunId => hashHex(canonicalBytes(spec));
