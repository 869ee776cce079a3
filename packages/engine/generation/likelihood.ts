// How likely a model holds one given text after another.
//
//   prefill(prompt) -> ln p(first) -> decode(first) -> ln p(second) -> …   their sum: ln p(continuation | prompt)
import type { Generator } from "./generator.ts";
import { LogitsError } from "./sample.ts";

/** ln p(id) under these logits, in nats: logit minus the log of the sum of all exponentials. @throws LogitsError where one is not finite */
export function logProbability(logits: ArrayLike<number>, id: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) {
    if (!Number.isFinite(logits[i])) throw new LogitsError();
    if (logits[i] > top) top = logits[i];
  }
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - top);
  return logits[id] - top - Math.log(sum);
}

/**
 * ln p(continuation | prompt), in nats. Of a prompt that does not fit the context beside the continuation the last ids count.
 * @param prompt at least one id
 * @throws RangeError when the continuation is empty or alone longer than the context
 */
export async function logLikelihood(
  generator: Generator,
  prompt: ArrayLike<number>,
  continuation: ArrayLike<number>,
): Promise<number> {
  const { contextLength } = generator.model;
  const { length } = continuation;
  if (length < 1 || length > contextLength)
    throw new RangeError(`a continuation has 1 to ${contextLength} tokens in this model's context, not ${length}`);
  const room = contextLength - length + 1; // the last id is judged, and not read
  let logits = await generator.prefill(Array.from(prompt).slice(-room));
  let sum = logProbability(logits, continuation[0]);
  for (let i = 1; i < length; i++) {
    logits = await generator.decode(continuation[i - 1]);
    sum += logProbability(logits, continuation[i]);
  }
  return sum;
}
