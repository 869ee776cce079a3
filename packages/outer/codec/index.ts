// The codecs that a run may name, and the one that its spec names.
import type { RunSpec } from "#wire";
import { parameterTable } from "../parameters.ts";
import { ChunkTopK } from "./chunk-top-k.ts";
import type { Codec, CodecFacts, RunCodec } from "./codec.ts";
import { int8Block } from "./int8-block.ts";

export { type Chunk, ChunkTopK, type Selection } from "./chunk-top-k.ts";
export { type Codec, type Decoded, type RunCodec, readOwn } from "./codec.ts";
export { Int8Blocks, int8Block } from "./int8-block.ts";

const INT8_BLOCK = 256;

export function codecOf({ model, outer: { codec } }: Pick<RunSpec, "model" | "outer">): RunCodec {
  const table = parameterTable(model);
  const whole = codec === "int8-block" ? int8Block(table.length, INT8_BLOCK) : new ChunkTopK(table, codec);
  return { ...factsOf(whole), at: () => whole, onDevice: whole };
}

const factsOf = ({ id, block, bodyBytesMax, sums, feedback }: Codec): CodecFacts => ({
  id,
  block,
  bodyBytesMax,
  sums,
  ...(feedback !== undefined && { feedback }),
});
