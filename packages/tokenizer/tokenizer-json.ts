// A Hugging Face tokenizer.json: the parts of it that are read here. The format is the Rust library's own (huggingface/tokenizers, docs: "tokenizer.json").
import * as z from "zod/mini";

const addedTokenSchema = z.looseObject({
  id: z.int().check(z.minimum(0)),
  content: z.string(),
  single_word: z.optional(z.boolean()),
  lstrip: z.optional(z.boolean()),
  rstrip: z.optional(z.boolean()),
  normalized: z.optional(z.boolean()),
  special: z.optional(z.boolean()),
});
export type AddedToken = z.infer<typeof addedTokenSchema>;

const partSchema = z.nullish(z.looseObject({ type: z.string() }));

export const tokenizerJsonSchema = z.looseObject({
  added_tokens: z.optional(z.array(addedTokenSchema)),
  normalizer: partSchema,
  pre_tokenizer: partSchema,
  post_processor: partSchema,
  decoder: partSchema,
  model: z.looseObject({
    type: z.optional(z.string()), // absent in old files: BPE where there are merges
    vocab: z.union([
      z.record(z.string(), z.int().check(z.minimum(0))),
      z.array(z.tuple([z.string(), z.number()])), // Unigram: piece and log-probability, its id is its place
    ]),
    merges: z.optional(z.union([z.array(z.string()), z.array(z.tuple([z.string(), z.string()]))])),
  }),
});
export type TokenizerJson = z.infer<typeof tokenizerJsonSchema>;

/** One more than the largest id. */
export function vocabSizeOf({ model, added_tokens: added = [] }: TokenizerJson): number {
  let largest = -1;
  for (const id of Array.isArray(model.vocab) ? [model.vocab.length - 1] : Object.values(model.vocab))
    if (id > largest) largest = id;
  for (const { id } of added) if (id > largest) largest = id;
  return largest + 1;
}
