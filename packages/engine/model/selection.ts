// What select-top-k.wgsl reads and writes, and the codec's own form of it.
//
//   table       start, length, k, offset     per chunk, u32
//   selection   counts | places | values     chunks, kept, kept words; a chunk's own begin at its offset, of which `count` are there
import type { ChunkTopK, Decoded, Selection } from "#outer";

export interface SelectionTable {
  readonly entries: Uint32Array<ArrayBuffer>;
  /** Values that may be kept in all. */
  readonly kept: number;
}

const TABLE_WORDS = 4;

export function selectionTable({ chunks }: ChunkTopK): SelectionTable {
  const entries = new Uint32Array(TABLE_WORDS * chunks.length);
  let kept = 0;
  for (const [c, { start, length, k }] of chunks.entries()) {
    entries.set([start, length, k, kept], TABLE_WORDS * c);
    kept += k;
  }
  return { entries, kept };
}

export const selectionWords = (codec: ChunkTopK): number =>
  codec.chunks.length + 2 * codec.chunks.reduce((sum, { k }) => sum + k, 0);

export function selectionOf({ chunks }: ChunkTopK, words: Uint32Array<ArrayBuffer>): Selection {
  const kept = (words.length - chunks.length) / 2;
  const counts = Uint16Array.from(words.subarray(0, chunks.length));
  const all = counts.reduce((sum, count) => sum + count, 0);
  const places = new Uint16Array(all);
  const values = new Float32Array(all);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  let [offset, n] = [chunks.length, 0];
  for (const [c, { k }] of chunks.entries()) {
    const count = counts[c];
    places.set(words.subarray(offset, offset + count), n);
    values.set(floats.subarray(offset + kept, offset + kept + count), n);
    offset += k;
    n += count;
  }
  return { counts, places, values };
}

/** What a body of this selection decodes to, in the places of the selection's values. */
export function decodedValues(
  { chunks }: ChunkTopK,
  { counts, places }: Selection,
  decoded: Decoded,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(chunks.reduce((sum, { k }) => sum + k, 0));
  const own = new Float32Array(Math.max(...chunks.map(({ length }) => length)));
  let [offset, n] = [0, 0];
  for (const [c, { start, length, k }] of chunks.entries()) {
    decoded.addTo(own.fill(0), 1, start, start + length);
    for (let i = 0; i < counts[c]; i++) values[offset + i] = own[places[n++]];
    offset += k;
  }
  return values;
}
