// The codecs that a run may name, and the one that its spec names. A new one: its settings in wire's codecs.ts, its file here, its line in `makers`.
import type { NamedCodecSpec, RunSpec } from "#wire";
import { fragmentsOf } from "../fragment.ts";
import type { ParameterTable } from "../parameters.ts";
import { roundKey } from "../random.ts";
import { ChunkTopK } from "./chunk-top-k.ts";
import { type Codec, factsOf, type RunCodec } from "./codec.ts";
import { dynamic8 } from "./dynamic8.ts";
import { e3m0 } from "./e3m0.ts";
import { hadamard } from "./hadamard.ts";
import { int4Block } from "./int4-block.ts";
import { int8Block } from "./int8-block.ts";
import { type LowBitsOptions, lowBits } from "./low-bits.ts";
import { powerSgd } from "./power-sgd.ts";
import { randK } from "./rand-k.ts";
import { raw } from "./raw.ts";
import { sign } from "./sign.ts";
import { topK } from "./top-k.ts";
import { twoBit } from "./two-bit.ts";

export { type Chunk, ChunkTopK, type Selection } from "./chunk-top-k.ts";
export { type Codec, type Decoded, type RunCodec, readOwn } from "./codec.ts";
export { Int8Blocks, int8Block } from "./int8-block.ts";

const INT8_BLOCK = 256;

/** What a round exchanges. */
interface Exchange {
  readonly table: ParameterTable;
  /** The round's own, for what everybody draws alike. */
  readonly key: number;
}

/** Those whose rounds share nothing. */
type Apart = Exclude<NamedCodecSpec, { name: "power-sgd" }>;

type Makers = {
  readonly [Name in Apart["name"]]: (settings: Extract<Apart, { name: Name }>, exchange: Exchange) => Codec;
};

const makers: Makers = {
  "chunk-top-k": (settings, { table }) => new ChunkTopK(table, settings),
  f32: (_, { table }) => raw(table.length, "f32"),
  f16: (_, { table }) => raw(table.length, "f16"),
  "int4-block": ({ rotated, feedback, ...settings }, { table, key }) => {
    const codec = lowBits(table.length, int4Block(feedback), packing(settings, key));
    return rotated ? hadamard(codec, key) : codec;
  },
  e3m0: ({ feedback, ...settings }, { table, key }) => lowBits(table.length, e3m0(feedback), packing(settings, key)),
  sign: ({ feedback }, { table }) => lowBits(table.length, sign(feedback)),
  "two-bit": ({ feedback }, { table }) => lowBits(table.length, twoBit(feedback)),
  "rand-k": (settings, { table, key }) => randK(table.length, settings, key),
  "top-k": (settings, { table }) => topK(table, settings),
  dynamic8: (_, { table }) => lowBits(table.length, dynamic8),
};

const packing = (
  { entropy, rounding }: Pick<Extract<Apart, { name: "e3m0" }>, "entropy" | "rounding">,
  key: number,
): LowBitsOptions => ({ entropy, stochasticKey: rounding && key });

export function codecOf(spec: Pick<RunSpec, "model" | "lora" | "outer" | "seed">): RunCodec {
  const { outer, seed } = spec;
  const { codec, extract, fragments, merge } = outer;
  const keyOf = (round: number) => roundKey(seed, round);
  const fragmentAt = fragmentsOf(spec);
  if (codec !== "int8-block" && codec.name === "power-sgd") return powerSgd(fragmentAt(0).table, codec, keyOf);
  // Parameters and what is tracked beside them: two vectors, of codecs that know no tensors.
  const tracked = extract === "tracked" && { tensors: [], length: 2 * fragmentAt(0).table.length };
  const at = (round: number) => codecFor(codec, { table: tracked || fragmentAt(round).table, key: keyOf(round) });
  const [first, ...others] = Array.from({ length: fragments ?? 1 }, (_, fragment) => at(fragment));
  const bodyBytesMax = others.reduce((most, other) => Math.max(most, other.bodyBytesMax), first.bodyBytesMax);
  // Adapters are small enough to cross whole: nothing is gained by keeping their mark on the device.
  const whole = spec.lora === undefined && fragments === undefined;
  const onDevice = first.onDevice && whole && extract === undefined && merge === undefined;
  return { ...factsOf(first), bodyBytesMax, at, ...(onDevice && { onDevice: first }) };
}

function codecFor(settings: "int8-block" | Apart, exchange: Exchange): Codec {
  if (settings === "int8-block") return int8Block(exchange.table.length, INT8_BLOCK);
  const make = makers[settings.name] as (given: typeof settings, exchange: Exchange) => Codec; // each is given its own
  return make(settings, exchange);
}
