// From logits to the next token: temperature, top-k, top-p, and a draw that a seed and a place decide. Pure.
//
//   logits -> sorted (ties: the lower id first) -> the first topK -> p = softmax(logits / temperature) -> the fewest that have topP together -> one
//
// The same logits, settings, seed and place give the same token. Logits of two engines differ in their last bits, so a text is promised to be the
// same on the same engine; on another one it may part where two tokens are nearly as likely.
import { bitsAt, mix } from "#outer";

export interface Sampling {
  /** 0: always the likeliest. 1: as the model says. */
  readonly temperature: number;
  /** Only so many of the likeliest; 0: all. */
  readonly topK: number;
  /** Of those, only the fewest that have so much of the probability together: above 0, 1: all. */
  readonly topP: number;
  /** 32 bits. */
  readonly seed: number;
}

/** Above 2 every model stutters; where a person types, it ends there. */
export const TEMPERATURE_MAX = 2;
export const SEED_MAX = 2 ** 32 - 1;

/** There is nothing to choose from. */
export class LogitsError extends Error {
  override readonly name = "LogitsError";
  constructor() {
    super(
      "The model's logits are not finite: its parameters are damaged, or its training diverged. Take another checkpoint.",
    );
  }
}

export interface Choice {
  readonly id: number;
  readonly probability: number; // among all that might have been drawn
}

/** RangeError names the setting that is none. */
export function checkSampling({ temperature, topK, topP, seed }: Sampling): void {
  const whole = (value: number, max: number): boolean => Number.isInteger(value) && value >= 0 && value <= max;
  if (!(temperature >= 0 && temperature <= TEMPERATURE_MAX))
    throw new RangeError(`temperature is ${temperature}; it must be from 0 to ${TEMPERATURE_MAX}`);
  if (!whole(topK, Number.MAX_SAFE_INTEGER))
    throw new RangeError(`top-k is ${topK}; it must be a whole number, 0: all`);
  if (!(topP > 0 && topP <= 1)) throw new RangeError(`top-p is ${topP}; it must be above 0 and at most 1`);
  if (!whole(seed, SEED_MAX))
    throw new RangeError(`the seed is ${seed}; it must be a whole number from 0 to ${SEED_MAX}`);
}

/** What might be drawn, the likeliest first; their probabilities add up to 1. @throws LogitsError where one is not finite */
export function candidates(logits: ArrayLike<number>, { temperature, topK, topP }: Sampling): Choice[] {
  const ids = Array.from({ length: logits.length }, (_, id) => id);
  if (ids.some((id) => !Number.isFinite(logits[id]))) throw new LogitsError();
  ids.sort((a, b) => logits[b] - logits[a] || a - b);
  const kept = temperature === 0 ? 1 : topK === 0 ? ids.length : Math.min(topK, ids.length);
  const top = logits[ids[0]];
  const weights = ids.slice(0, kept).map((id) => (temperature === 0 ? 1 : Math.exp((logits[id] - top) / temperature)));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  let [count, sum] = [0, 0];
  while (count < kept && (topP === 1 || count === 0 || sum < topP * all)) sum += weights[count++];
  return ids.slice(0, count).map((id, i) => ({ id, probability: weights[i] / sum }));
}

/** @param place of the token in what is generated: each has a draw of its own, whatever was drawn before */
export function sample(logits: ArrayLike<number>, sampling: Sampling, place: number): Choice {
  const choices = candidates(logits, sampling);
  let left = (bitsAt(mix(sampling.seed ^ 0x9e37_79b9), place) >>> 0) / 2 ** 32;
  for (const choice of choices) {
    left -= choice.probability;
    if (left < 0) return choice;
  }
  return choices[choices.length - 1]; // probabilities add up to 1 but for rounding
}
