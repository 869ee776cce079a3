// The readable CPU truth of the decoder: what kernels are compared with, what `replay --eval` computes.
export { adamwStep } from "./adamw.ts";
export { type AttentionShape, attentionBackward, attentionCached, attentionForward } from "./attention.ts";
export { type CrossEntropyShape, crossEntropyBackward, crossEntropyForward } from "./cross-entropy.ts";
export { type EmbeddingShape, embeddingBackward, embeddingForward } from "./embedding.ts";
export { ReferenceGenerator } from "./generator.ts";
export { adapterGradient, mergedWeights, ReferenceLoraTrainer } from "./lora.ts";
export { type LinearShape, linearBackward, linearForward } from "./matmul.ts";
export { logitsOf, lossAndGradient, lossOnly } from "./model.ts";
export { roundMoments, unpackMoments } from "./moments-8bit.ts";
export { type NormShape, rmsnormBackward, rmsnormForward } from "./rmsnorm.ts";
export { type RopeShape, ropeBackward, ropeForward } from "./rope.ts";
export * from "./shard.ts";
export { swigluBackward, swigluForward } from "./swiglu.ts";
export { ReferenceTrainer } from "./trainer.ts";
export { relativeError, type Vector } from "./vector.ts";
