// What a loss says, whatever cut the text into tokens.
import type { RunSpec } from "#wire";

export interface LossMeasures {
  /** e^loss: among how many equally likely tokens the model chooses. Depends on the tokenizer. */
  readonly perplexity: number;
  /** Bits that a byte of the text takes: comparable between tokenizers. */
  readonly bitsPerByte: number;
}

/**
 * @param loss mean cross-entropy of the held-out text, nats per token
 * @param text how many tokens it has, and how many bytes as UTF-8
 */
export const lossMeasures = (
  loss: number,
  { tokens, bytes }: { readonly tokens: number; readonly bytes: number },
): LossMeasures => ({
  perplexity: Math.exp(loss),
  bitsPerByte: ((loss / Math.LN2) * tokens) / bytes,
});

/** Of all held-out text that a run names. */
export const heldOutText = ({ evaluation, evaluationBytes }: RunSpec["data"]): { tokens: number; bytes: number } => {
  const tokens = evaluation.reduce((sum, shard) => sum + shard.tokens, 0);
  return { tokens, bytes: evaluationBytes ?? tokens }; // absent: of the bytes tokenizer
};

/** Of a run's newest evaluation; empty before the first. */
export const measuresOf = (data: RunSpec["data"], evalLoss: number | null): Partial<LossMeasures> =>
  evalLoss === null ? {} : lossMeasures(evalLoss, heldOutText(data));
