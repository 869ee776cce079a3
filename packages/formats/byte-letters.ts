// GPT-2's letters for bytes: each of the 256 bytes as one printable character, so that vocabularies of byte-level tokenizers are texts.
//
//   33 to 126, 161 to 172, 174 to 255: themselves        the others, in order: 256, 257, …

/** By byte. */
export const byteLetters: readonly string[] = (() => {
  let next = 256;
  const isItself = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isItself(byte) ? byte : next++));
})();

/** Hugging Face's tokenizer.json of the tokenizer "bytes": id = byte, no merges, nothing special. */
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
    vocab: Object.fromEntries(byteLetters.map((letter, byte) => [letter, byte])),
    merges: [],
  },
} as const;
