// Tensors on their way out: ranges of the flat vector -> rows, in the order that the file wants -> the bytes of its type. A megabyte at a time.
import type { TensorPlace } from "#outer";
import { bytesFrom, bytesPerFloat, type FloatType, fitsF16 } from "./floats.ts";
import { Q8_BLOCK, Q8_BLOCK_BYTES, quantizeQ8 } from "./q8.ts";
import { FormatError } from "./source.ts";

/** The parameters of a model, flat in parameterTable's order, wherever they lie. */
export interface FloatSource {
  readonly length: number;
  /** Exactly `length` values from `from` on; finite. */
  read(from: number, length: number): Promise<Float32Array>;
}

export const floatsOf = (values: Float32Array): FloatSource => ({
  length: values.length,
  async read(from, length) {
    return values.subarray(from, from + length);
  },
});

export type OutType = FloatType | "Q8_0";

/** Floats read at once: a megabyte, so that a host that streams several models holds little and keeps answering. */
const READ_FLOATS = 256 * 1024;

export const bytesOf = (floats: number, type: OutType): number =>
  type === "Q8_0" ? (floats / Q8_BLOCK) * Q8_BLOCK_BYTES : floats * bytesPerFloat(type);

/** A tensor's bytes in its own order. @throws FormatError when the type cannot hold a value */
export async function* plainBytes(source: FloatSource, place: TensorPlace, type: OutType): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < place.length; at += READ_FLOATS) {
    const values = await source.read(place.offset + at, Math.min(READ_FLOATS, place.length - at));
    yield encode(values, type, place.name);
  }
}

/**
 * A query or key matrix ((heads · D), C) for llama.cpp, which turns neighbours where Hugging Face's Llama turns the two halves of a head:
 * row 2i + j of a head is row j · D/2 + i of ours. A head at a time.
 */
export async function* pairedBytes(
  source: FloatSource,
  place: TensorPlace,
  type: OutType,
  heads: number,
): AsyncGenerator<Uint8Array> {
  const [rows, width] = place.shape;
  const D = rows / heads;
  for (let head = 0; head < heads; head++) {
    const values = await source.read(place.offset + head * D * width, D * width);
    const paired = new Float32Array(values.length);
    for (let i = 0; i < D / 2; i++)
      for (const j of [0, 1]) {
        const from = (j * (D / 2) + i) * width;
        paired.set(values.subarray(from, from + width), (2 * i + j) * width);
      }
    yield encode(paired, type, place.name);
  }
}

function encode(values: Float32Array, type: OutType, name: string): Uint8Array {
  if (type === "F16" && !fitsF16(values))
    throw new FormatError(`${name} holds a value beyond 65,504, where f16 ends. Export it as bf16 or f32.`);
  if (type !== "Q8_0") return bytesFrom(values, type);
  const bytes = quantizeQ8(values);
  if (bytes === undefined)
    throw new FormatError(`${name} holds a value beyond what q8_0's scales reach. Export it as bf16 or f32.`);
  return bytes;
}
