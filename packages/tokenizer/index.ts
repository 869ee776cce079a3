// Text <-> token ids, by the tokenizer that a spec names. What is no "bytes" is loaded when it is asked for: a page's first visit has none of it.
import type { TokenizerRef } from "#wire";
import { bytesTokenizer, type Tokenizer, TokenizerError } from "./tokenizer.ts";

export { letterOfByte } from "./byte-level.ts";
export { bytesTokenizer, type TextStream, type Tokenizer, TokenizerError } from "./tokenizer.ts";

const NAME = "the run's tokenizer";

/**
 * @param ref a spec's data.tokenizer
 * @param fetchBlob the bytes of that name, checked by it
 * @throws TokenizerError
 */
export async function openTokenizer(
  ref: TokenizerRef,
  fetchBlob: (blob: { readonly hash: string; readonly bytes: number }) => Promise<Uint8Array>,
): Promise<Tokenizer> {
  if (ref === "bytes") return bytesTokenizer;
  const [bytes, { tokenizerFrom }] = await Promise.all([fetchBlob(ref), import("./file.ts")]);
  const tokenizer = tokenizerFrom(bytes, NAME, ref.endOfText);
  if (tokenizer.vocabSize !== ref.vocabSize)
    throw new TokenizerError(
      NAME,
      `has ${tokenizer.vocabSize} tokens, the run's spec says ${ref.vocabSize}`,
      "Use the build that the run was made with",
    );
  return tokenizer;
}

/** A tokenizer.json, or what may be one. @param endOfText the token that ends a text; absent: by the names that are in use. @throws TokenizerError */
export async function readTokenizer(bytes: Uint8Array, name: string, endOfText?: string): Promise<Tokenizer> {
  return (await import("./file.ts")).tokenizerFrom(bytes, name, endOfText);
}
