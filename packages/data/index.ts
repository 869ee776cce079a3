// corpus -> token ids -> token shards -> the windows of a batch. Pure: bytes and numbers in, bytes and numbers out.
export * from "./assignment.ts";
export * from "./corpus.ts";
export * from "./evaluation.ts";
export * from "./measures.ts";
export * from "./permutation.ts";
export * from "./shard.ts";
export * from "./token-source.ts";
