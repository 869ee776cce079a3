// Rand-k with a shared seed: of each `every` neighbours one, drawn by seed and round, so that no place is sent and all peers send the same ones. Its value
// as int8 blocks: 1.016 / every bytes a parameter. Sums of bodies keep their size, so groups form. Learns only with error feedback.
//
//   | body of int8 blocks, of the drawn values in order |
//
//   decoded[place] = its value for the place that the round draws in each group of `every` neighbours (the last group is smaller), 0 elsewhere
//   place          = start of the group g + (unsigned hash of (round, g)) mod its size
//
// Error: (1 − 1 / every) of the squares on average, and int8's. It is top-k's worst case, but costs no place: 12 bits less for each value at one in 64.
// Source: Wangni et al., 2018; the places as strata, so that each round touches all of the vector evenly.
import { assert } from "../assert.ts";
import { bitsAt } from "../random.ts";
import { type Codec, refuseBeyond } from "./codec.ts";
import { int8Block } from "./int8-block.ts";
import { Sparse } from "./sparse.ts";

const INT8_BLOCK = 256;

export interface RandKOptions {
  readonly every: number;
  readonly feedback: number;
  readonly momentum?: number | undefined;
}

/** @param key of the round's places */
export function randK(length: number, { every, feedback, momentum }: RandKOptions, key: number): Codec {
  const kept = Math.ceil(length / every);
  const inner = int8Block(kept, INT8_BLOCK);
  const placesOf = () =>
    Uint32Array.from({ length: kept }, (_, group) => {
      const start = group * every;
      return start + ((bitsAt(key, group) >>> 0) % Math.min(every, length - start));
    });
  return {
    id: 9,
    block: every,
    length,
    feedback,
    ...(momentum !== undefined && { momentum }),
    sums: true,
    bodyBytesMax: inner.bodyBytesMax,
    encode: (values) => {
      assert(values.length === length, "one value per parameter");
      refuseBeyond(Number.POSITIVE_INFINITY, values); // also of what is not drawn
      return inner.encode(Float32Array.from(placesOf(), (place) => values[place]));
    },
    read: (body) => {
      const decoded = inner.read(body);
      if (typeof decoded === "string") return decoded;
      const values = new Float32Array(kept);
      decoded.addTo(values, 1, 0, kept);
      return new Sparse(placesOf(), values, length, decoded.norm());
    },
  };
}
