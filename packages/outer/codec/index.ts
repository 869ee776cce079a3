// The codecs that a run may name, and the one that its spec names.
import type { RunSpec } from "#wire";
import { parameterTable } from "../parameters.ts";
import { ChunkTopK } from "./chunk-top-k.ts";
import type { Codec } from "./codec.ts";
import { int8Block } from "./int8-block.ts";

export { type Chunk, ChunkTopK, type Selection } from "./chunk-top-k.ts";
export { type Codec, type Decoded, readOwn } from "./codec.ts";
export { Int8Blocks, int8Block } from "./int8-block.ts";

const INT8_BLOCK = 256;

export function codecOf({ model, outer: { codec } }: Pick<RunSpec, "model" | "outer">): Codec {
  const table = parameterTable(model);
  if (codec === "int8-block") return int8Block(table.length, INT8_BLOCK);
  return new ChunkTopK(table, codec);
}
