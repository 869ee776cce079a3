// What the exchange needs to know of blobs: sizes, and how a piece from a stranger is checked. The simulator gives rules of its own, so
// that blobs of a few hundred bytes have many pieces.
import {
  blobName,
  CHUNK_BYTES,
  decodePieceList,
  encodePieceList,
  PIECE_BYTES,
  type PieceList,
  pieceIsGood,
  pieceListBytes,
  WINDOW_BYTES,
} from "#wire";

export interface PieceRules {
  readonly pieceBytes: number;
  readonly chunkBytes: number;
  /** Unacknowledged bytes on a connection. */
  readonly windowBytes: number;
  listBytes(blobBytes: number): number;
  nameOf(blob: Uint8Array): string;
  listOf(blob: Uint8Array): Uint8Array;
  /** Undefined: not the list of that name. */
  decodeList(list: Uint8Array, name: string): PieceList | undefined;
  isGood(list: PieceList, index: number, piece: Uint8Array): boolean;
}

export const wirePieces: PieceRules = {
  pieceBytes: PIECE_BYTES,
  chunkBytes: CHUNK_BYTES,
  windowBytes: WINDOW_BYTES,
  listBytes: pieceListBytes,
  nameOf: blobName,
  listOf: encodePieceList,
  decodeList: decodePieceList,
  isGood: pieceIsGood,
};

/** An empty blob has one empty piece. */
export const piecesOf = (bytes: number, { pieceBytes }: PieceRules): number =>
  Math.max(1, Math.ceil(bytes / pieceBytes));

/** Bits by piece, as they stand in a `have`. */
export class Bits {
  readonly bytes: Uint8Array;
  readonly size: number;
  count = 0;

  constructor(size: number) {
    this.size = size;
    this.bytes = new Uint8Array(Math.ceil(size / 8));
  }

  has(index: number): boolean {
    return (this.bytes[index >> 3] & (1 << (index & 7))) !== 0;
  }

  /** @returns whether it is new */
  set(index: number): boolean {
    if (this.has(index)) return false;
    this.bytes[index >> 3] |= 1 << (index & 7);
    this.count += 1;
    return true;
  }

  get isFull(): boolean {
    return this.count === this.size;
  }
}
