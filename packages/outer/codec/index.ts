// The codecs that a run may name, and the one that its spec names. A new one: its settings in wire's codecs.ts, its file here, its line in `makers`.
import type { NamedCodecSpec, RunSpec } from "#wire";
import { type ParameterTable, parameterTable } from "../parameters.ts";
import { ChunkTopK } from "./chunk-top-k.ts";
import type { Codec, CodecFacts, RunCodec } from "./codec.ts";
import { int8Block } from "./int8-block.ts";
import { raw } from "./raw.ts";

export { type Chunk, ChunkTopK, type Selection } from "./chunk-top-k.ts";
export { type Codec, type Decoded, type RunCodec, readOwn } from "./codec.ts";
export { Int8Blocks, int8Block } from "./int8-block.ts";

const INT8_BLOCK = 256;

type Makers = {
  readonly [Name in NamedCodecSpec["name"]]: (
    table: ParameterTable,
    settings: Extract<NamedCodecSpec, { name: Name }>,
  ) => Codec;
};

const makers: Makers = {
  "chunk-top-k": (table, settings) => new ChunkTopK(table, settings),
  f32: ({ length }) => raw(length, "f32"),
  f16: ({ length }) => raw(length, "f16"),
};

export function codecOf({ model, outer }: Pick<RunSpec, "model" | "outer">): RunCodec {
  const table = parameterTable(model);
  const whole = codecFor(table, outer.codec);
  return { ...factsOf(whole), at: () => whole, ...(whole.onDevice && { onDevice: whole }) };
}

function codecFor(table: ParameterTable, settings: RunSpec["outer"]["codec"]): Codec {
  if (settings === "int8-block") return int8Block(table.length, INT8_BLOCK);
  const make = makers[settings.name] as (table: ParameterTable, given: typeof settings) => Codec; // each is given its own
  return make(table, settings);
}

const factsOf = ({ id, block, bodyBytesMax, sums, feedback }: Codec): CodecFacts => ({
  id,
  block,
  bodyBytesMax,
  sums,
  ...(feedback !== undefined && { feedback }),
});
