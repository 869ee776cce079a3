// Blobs have names: the SHA-256 of their piece list, so that one piece from a stranger can be checked before the next arrives.
//
//   piece list:  | "GBLB" | version u16 | 0 u16 | bytes u64 (little-endian) | SHA-256 of piece 0 | SHA-256 of piece 1 | ...
//   name = SHA-256(piece list)
import { sha256 } from "@noble/hashes/sha2.js";
import { hashHex } from "./spec.ts";

export const BLOB_VERSION = 1;
/** 256 KiB: a nano update is one piece, a 1 GiB checkpoint has a list of 128 KiB, and a lost piece costs 0.1 s at 20 Mbit/s. */
export const PIECE_BYTES = 256 * 1024;
/** A piece list of 4 GiB: nothing larger is a blob here. */
export const BLOB_BYTES_MAX = 4 * 2 ** 30;
const HEADER_BYTES = 16;
const MAGIC = 0x424c_4247; // "GBLB" as a little-endian u32

export interface PieceList {
  readonly bytes: number; // of the blob
  readonly hashes: readonly Uint8Array[];
}

export const pieceCount = (bytes: number): number => Math.max(1, Math.ceil(bytes / PIECE_BYTES));
export const pieceListBytes = (bytes: number): number => HEADER_BYTES + 32 * pieceCount(bytes);

export function encodePieceList(blob: Uint8Array): Uint8Array {
  const hashes = Array.from({ length: pieceCount(blob.length) }, (_, piece) =>
    sha256(blob.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES)),
  );
  return pieceListOf(blob.length, hashes);
}

/** The same from the pieces' hashes, for a blob that streams by and never lies in memory whole. */
export function pieceListOf(bytes: number, hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length !== pieceCount(bytes)) throw new RangeError(`${bytes} bytes have ${pieceCount(bytes)} pieces`);
  const list = new Uint8Array(pieceListBytes(bytes));
  const view = new DataView(list.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, BLOB_VERSION, true);
  view.setUint32(8, bytes % 2 ** 32, true);
  view.setUint32(12, Math.floor(bytes / 2 ** 32), true);
  for (const [piece, hash] of hashes.entries()) list.set(hash, HEADER_BYTES + 32 * piece);
  return list;
}

/** Undefined when the bytes are no piece list of this version, or not the one of that name: the sender is at fault. */
export function decodePieceList(list: Uint8Array, name: string): PieceList | undefined {
  if (list.length < HEADER_BYTES + 32 || hashHex(list) !== name) return undefined;
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  if (view.getUint32(0, true) !== MAGIC || view.getUint16(4, true) !== BLOB_VERSION) return undefined;
  const bytes = view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
  if (bytes > BLOB_BYTES_MAX || list.length !== pieceListBytes(bytes)) return undefined;
  const hashes = Array.from({ length: pieceCount(bytes) }, (_, i) =>
    list.subarray(HEADER_BYTES + 32 * i, HEADER_BYTES + 32 * (i + 1)),
  );
  return { bytes, hashes };
}

export const pieceListName = (list: Uint8Array): string => hashHex(list);

export const blobName = (blob: Uint8Array): string => pieceListName(encodePieceList(blob));

export function pieceIsGood(list: PieceList, index: number, piece: Uint8Array): boolean {
  const expected = list.hashes[index];
  if (expected === undefined) return false;
  const actual = sha256(piece);
  return actual.every((byte, i) => byte === expected[i]);
}
