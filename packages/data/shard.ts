// Token shard: a file of the data set. The run's spec names shards by hash; peers fetch, verify and cache them.
//
//   0        4         6       8            12            16
//   | "GSHD" | version | dtype | vocab size | token count | token ids ...
//   | bytes  | u16     | u16   | u32        | u32         | u16 each
//
// All little-endian; the ids begin at an even offset, so that decoding is a view and not a copy.
export const SHARD_VERSION = 1;
const MAGIC = 0x4448_5347; // "GSHD" as a little-endian u32
const HEADER_BYTES = 16;
const DTYPE_U16 = 1; // the only one so far: 0 stays free, so that a zeroed header is never valid

/** 1 Mi tokens, 2 MiB: a peer that loses its connection repeats little, and a list of 4,096 shards holds 4 Gi tokens. */
export const TOKENS_PER_SHARD = 1024 * 1024;
/** Ids are u16. */
const VOCAB_MAX = 65_536;

export interface TokenShard {
  readonly vocabSize: number;
  readonly ids: Uint16Array; // each below vocabSize
}

/** A shard that cannot be trusted. The message names what is wrong and what to do. */
export class ShardError extends Error {
  override readonly name = "ShardError";
  constructor(reason: string, remedy: string) {
    super(`token shard: ${reason}; ${remedy}`);
  }
}

const MAKE_AGAIN = "make the shards again from the corpus";
const FETCH_AGAIN = "fetch it again, and check its hash against the spec";

export function encodeShard({ vocabSize, ids }: TokenShard): Uint8Array {
  if (ids.length < 1 || ids.length > 0xffff_ffff) throw new ShardError(`${ids.length} tokens do not fit`, MAKE_AGAIN);
  checkIds(ids, vocabSize, MAKE_AGAIN);
  const shard = new Uint8Array(HEADER_BYTES + 2 * ids.length);
  const view = new DataView(shard.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, SHARD_VERSION, true);
  view.setUint16(6, DTYPE_U16, true);
  view.setUint32(8, vocabSize, true);
  view.setUint32(12, ids.length, true);
  // A typed array stores in the machine's order, which is little-endian wherever WebGPU runs; elsewhere, ids of the bytes
  // tokenizer would read as multiples of 256 and be refused below.
  new Uint16Array(shard.buffer, HEADER_BYTES).set(ids);
  return shard;
}

/** The ids are a view into `shard` when its memory is aligned, else a copy. Throws ShardError. */
export function decodeShard(shard: Uint8Array): TokenShard {
  if (shard.length < HEADER_BYTES)
    throw new ShardError(`${shard.length} bytes are less than its header of ${HEADER_BYTES}`, FETCH_AGAIN);
  const view = new DataView(shard.buffer, shard.byteOffset, shard.byteLength);
  if (view.getUint32(0, true) !== MAGIC) throw new ShardError('it does not begin with "GSHD"', FETCH_AGAIN);
  const version = view.getUint16(4, true);
  if (version !== SHARD_VERSION)
    throw new ShardError(
      `version ${version}, this build reads ${SHARD_VERSION}`,
      "use the build that the run was made with",
    );
  const dtype = view.getUint16(6, true);
  if (dtype !== DTYPE_U16)
    throw new ShardError(
      `dtype ${dtype}, this build reads ${DTYPE_U16} (u16)`,
      "use the build that the run was made with",
    );
  const vocabSize = view.getUint32(8, true);
  const count = view.getUint32(12, true);
  const expected = HEADER_BYTES + 2 * count;
  if (count === 0 || shard.length !== expected)
    throw new ShardError(`${count} tokens take ${expected} bytes, but it has ${shard.length}`, FETCH_AGAIN);
  const aligned = shard.byteOffset % 2 === 0 ? shard : shard.slice();
  const ids = new Uint16Array(aligned.buffer, aligned.byteOffset + HEADER_BYTES, count);
  checkIds(ids, vocabSize, FETCH_AGAIN);
  return { vocabSize, ids };
}

/** An id outside of the vocabulary would read outside of the embedding table. */
function checkIds(ids: Uint16Array, vocabSize: number, remedy: string): void {
  if (!Number.isInteger(vocabSize) || vocabSize < 1 || vocabSize > VOCAB_MAX)
    throw new ShardError(`vocabulary of ${vocabSize}, allowed are 1 to ${VOCAB_MAX}`, remedy);
  const bad = ids.findIndex((id) => id >= vocabSize);
  if (bad !== -1)
    throw new ShardError(`token ${bad} has id ${ids[bad]}, outside of its vocabulary of ${vocabSize}`, remedy);
}
