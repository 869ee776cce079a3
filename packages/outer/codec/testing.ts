// What the tests of codecs share: a body read and decoded whole.
import type { Codec, Decoded } from "./codec.ts";

export function decodedFrom(decoded: Decoded, length: number): Float32Array {
  const values = new Float32Array(length);
  decoded.addTo(values, 1, 0, length);
  return values;
}

/** What everybody makes of these values. */
export function decodedBy(codec: Codec, values: Float32Array): Float32Array {
  const decoded = codec.read(codec.encode(values));
  if (typeof decoded === "string") throw new Error(decoded);
  return decodedFrom(decoded, codec.length);
}
