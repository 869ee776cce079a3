// The data part of the run spec: what an operator writes (corpus), and what a host makes of it (data: blobs by their hashes).
//
//   corpus {parts, clean, tokenizer ...}  --gossamer data prepare, or the host's start-->  data {tokenizer, train, evaluation, manifest}
import * as z from "zod/mini";
import { hashSchema } from "./hash.ts";
import { count, positive, text } from "./spec-basics.ts";

const path = z.string().check(z.minLength(1), z.maxLength(4096));

/** One source of documents: exactly one of path, url and hub says where. */
export const corpusPartSchema = /* @__PURE__ */ (() =>
  z
    .strictObject({
      path: z.optional(path), //              a file, or a folder of them, beside the spec
      url: z.optional(z.string().check(z.regex(/^https?:\/\/[^\s@]+$/, "an http or https address without a login"))),
      hub: z.optional(
        z.strictObject({
          dataset: z.string().check(z.regex(/^[\w.-]+(\/[\w.-]+)?$/, 'a data set\'s name, for example "ag_news"')),
          revision: z.optional(text(200)), // branch, tag or commit; absent: main
          under: z.optional(text(400)), //    only files below this folder, or this file
        }),
      ),
      textField: z.optional(text(200)), //    of jsonl and parquet; absent: "text"
      weight: z.optional(positive), //        share of the training text, relative to the other parts'; absent: all of it
      source: z.optional(text(400)), //       absent: the corpus's
      licence: z.optional(text(200)),
    })
    .check(
      z.refine((part) => [part.path, part.url, part.hub].filter((where) => where !== undefined).length === 1, {
        error: 'names exactly one of path, url and hub, for example {"path": "./books"}',
      }),
    ))();
export type CorpusPart = z.infer<typeof corpusPartSchema>;

const cleanSchema = /* @__PURE__ */ (() =>
  z.strictObject({
    normalize: z.optional(z.enum(["nfc", "none"])), //          absent: nfc
    whitespace: z.optional(z.enum(["trim", "collapse", "keep"])), // absent: trim, which ends lines at their last letter; collapse: one space, one empty line
    minCharacters: z.optional(count(1_000_000)), //             shorter documents are dropped; absent: 1
    maxCharacters: z.optional(count(100_000_000)), //           longer ones are dropped; absent: none is
    textShareMin: z.optional(z.number().check(z.minimum(0), z.maximum(1))), // of letters, digits and spaces; below it a document is dropped
    invalid: z.optional(z.enum(["refuse", "drop"])), //         a document that is no UTF-8 or no JSON: absent: refuse
  }))();
export type CleanOptions = z.infer<typeof cleanSchema>;

const tokenizerDraftSchema = /* @__PURE__ */ (() =>
  z.union(
    [
      z.literal("bytes"),
      z.strictObject({ kind: z.literal("file"), path, endOfText: z.optional(text(100)) }),
      z.strictObject({ kind: z.literal("train"), vocabSize: z.int().check(z.minimum(257), z.maximum(65_536)) }),
    ],
    {
      error:
        'must be "bytes", {"kind": "file", "path": "./tokenizer.json"}, or {"kind": "train", "vocabSize": 8192} with 257 to 65536 tokens',
    },
  ))();

export const corpusSchema = /* @__PURE__ */ (() =>
  z
    .strictObject({
      kind: z
        .enum(["sotu", "file", "parts"])
        .check(z.describe("the State of the Union addresses, a text of your own, or documents from several places")),
      path: z.optional(z.string().check(z.maxLength(4096))).check(z.describe('of kind "file": beside the spec')),
      parts: z
        .optional(z.array(corpusPartSchema).check(z.minLength(1), z.maxLength(64)))
        .check(
          z.describe(
            'of kind "parts": files, folders, addresses, data sets of a hub ([FORMATS.md](FORMATS.md#a-corpus))',
          ),
        ),
      source: text(400).check(z.describe("where the text comes from, for people")),
      licence: text(200).check(z.describe("of the text")),
      evaluationPart: z
        .number()
        .check(
          z.gt(0),
          z.lt(0.5),
          z.describe('held out: the end of the text; of kind "parts" documents, by their hash'),
        ),
      clean: z
        .optional(cleanSchema)
        .check(z.describe('of kind "parts": how documents are cleaned, and which are dropped')),
      deduplicate: z
        .optional(z.enum(["none", "exact", "near"]))
        .check(
          z.describe(
            'of kind "parts": documents whose words were there already are dropped, with "near" those that are nearly so too; absent: exact',
          ),
        ),
      tokenizer: z
        .optional(tokenizerDraftSchema)
        .check(
          z.describe("bytes, a Hugging Face tokenizer.json, or byte-level BPE that is trained here; absent: bytes"),
        ),
      mixedShards: z
        .optional(z.int().check(z.minimum(2), z.maximum(1024)))
        .check(
          z.describe(
            "of how many shards the windows are mixed: a peer then fetches shards as it reads them, and has about twice as many at once; absent: all",
          ),
        ),
      tokensPerShard: z
        .optional(z.int().check(z.minimum(4096), z.maximum(2 ** 24)))
        .check(z.describe("of the files that peers fetch, 4096 at most; absent: 1048576")),
    })
    .check(
      z.refine((c) => c.kind !== "file" || c.path !== undefined, {
        path: ["path"],
        error: 'is required when corpus.kind is "file" (for example "./book.txt")',
      }),
      z.refine((c) => (c.kind === "parts") === (c.parts !== undefined), {
        path: ["parts"],
        error: 'belong to corpus.kind "parts", for example [{"path": "./books"}]',
      }),
      z.superRefine(({ parts = [] }, { addIssue }) => {
        if (parts.length < 2) return;
        for (const [i, part] of parts.entries())
          for (const field of ["source", "licence"] as const)
            if (part[field] === undefined)
              addIssue({
                code: "custom",
                path: ["parts", i, field],
                message: "is needed of each of several parts: who takes the model must know what it was made of",
              });
        if (parts.some(({ weight }) => weight !== undefined) && parts.some(({ weight }) => weight === undefined))
          addIssue({ code: "custom", path: ["parts"], message: "have a weight each, or none of them has one" });
      }),
    ))();
export type Corpus = z.infer<typeof corpusSchema>;

const blobSchema = { hash: hashSchema, bytes: z.int().check(z.positive()) };
const amount = z.int().check(z.minimum(0));

/** A tokenizer.json as a blob. Ids are below vocabSize, which is at most the model's; endOfText stands behind each document. */
export const tokenizerRefSchema = z.union([
  z.literal("bytes"),
  z.strictObject({ ...blobSchema, vocabSize: count(65_536), endOfText: z.optional(amount) }),
]);
export type TokenizerRef = z.infer<typeof tokenizerRefSchema>;

const shardRefSchema = z.strictObject({ ...blobSchema, tokens: z.int().check(z.positive()) });

/** A list of 4,096 shards takes 0.5 MB of the spec, which every welcome repeats: half of what a host's message may have. */
export const TRAIN_SHARDS_MAX = 4096;
export const EVALUATION_SHARDS_MAX = 256;

export const dataRefSchema = z.strictObject({
  source: text(400), //                   where the text comes from, for people
  licence: text(200),
  parts: z.optional(
    z
      .array(
        z.strictObject({ source: text(400), licence: text(200), documents: amount, bytes: amount, tokens: amount }),
      )
      .check(z.minLength(1), z.maxLength(64)),
  ), //                                    of kind "parts": what came of each, held-out text included
  manifest: z.optional(z.strictObject(blobSchema)), // what was read, as JSON: files, hashes, what was dropped and why
  tokenizer: tokenizerRefSchema,
  evaluationBytes: z.optional(z.int().check(z.positive())), // UTF-8 bytes of the held-out text; absent: its tokens are bytes
  mixedShards: z.optional(z.int().check(z.minimum(2), z.maximum(1024))), // an epoch mixes the windows of so many shards at a time; absent: all
  train: z.array(shardRefSchema).check(z.minLength(1), z.maxLength(TRAIN_SHARDS_MAX)),
  evaluation: z.array(shardRefSchema).check(z.minLength(1), z.maxLength(EVALUATION_SHARDS_MAX)),
});
export type DataRef = z.infer<typeof dataRefSchema>;
