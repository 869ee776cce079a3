// A text goes on: prompt in, one token after the other out.
//
// Past the model's context the window slides: what is kept of the text is its last half context, read anew; then decoding goes on.
// So each token sees at least half a context and at most a whole one, and reading anew costs one prefill for each half context of tokens.
import type { Generator } from "./generator.ts";
import { checkSampling, type Sampling, sample } from "./sample.ts";

export interface ContinuationOptions {
  readonly sampling: Sampling;
  /** How many; it may be stopped before. */
  readonly tokens: number;
  readonly signal?: AbortSignal | undefined;
}

/** @param prompt at least one id; of more than the context the last ones count. Ends without an error when the signal says so. */
export async function* continuation(
  generator: Generator,
  prompt: ArrayLike<number>,
  { sampling, tokens, signal }: ContinuationOptions,
): AsyncGenerator<number, void> {
  checkSampling(sampling);
  const { contextLength } = generator.model;
  const ids = Array.from(prompt);
  const half = Math.max(1, Math.floor(contextLength / 2));
  let logits = await generator.prefill(ids.slice(-contextLength));
  for (let place = 0; place < tokens; place++) {
    if (signal?.aborted) return;
    const { id } = sample(logits, sampling, place);
    yield id;
    if (place === tokens - 1 || signal?.aborted) return;
    ids.push(id);
    logits = generator.length < contextLength ? await generator.decode(id) : await generator.prefill(ids.slice(-half));
  }
}
