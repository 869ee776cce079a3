// A model that everybody knows the size of, to compare with.
import type { ModelShape } from "#wire";

/** GPT-2's smallest form (124 M parameters) as this engine has it: RMSNorm, RoPE, SwiGLU of 8/3 the width. */
export const GPT2_SMALL: { readonly name: string; readonly model: ModelShape; readonly microbatch: number } = {
  name: "gpt2-small",
  model: {
    ...{ vocabSize: 50_257, dModel: 768, layers: 12, heads: 12, kvHeads: 12, dFfn: 2048, contextLength: 1024 },
    ...{ ropeTheta: 10_000, normEps: 1e-5, tiedEmbedding: true },
  },
  microbatch: 8,
};
