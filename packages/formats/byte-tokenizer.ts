// The tokenizer "bytes" as a file: what Hugging Face's libraries and llama.cpp encode text to bytes with.
import { letterOfByte } from "#tokenizer";

/** A tokenizer.json: id = byte, under GPT-2's letter for it; no merges, nothing special. */
export const byteTokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
  post_processor: null,
  decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(letterOfByte.map((letter, byte) => [letter, byte])),
    merges: [],
  },
} as const;
