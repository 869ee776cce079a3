// Blobs of the simulation: bytes that follow from their name, so that nobody has to keep them, and rules for their pieces that cost no
// SHA-256. Everything else about them is the real exchange.
//
//   blob = name (32 bytes) | a pattern of the name        piece list = name (32 bytes) | bytes u32
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import type { PieceRules } from "#swarm";

const NAME_BYTES = 32;
/** Contents that were asked for last. */
const KEPT = 256;
const contents = new Map<string, Uint8Array>();

/** Not to be changed. */
export function contentOf(name: string, bytes: number): Uint8Array {
  const present = contents.get(name);
  if (present?.length === bytes) return present;
  const head = hexToBytes(name);
  const content = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) content[i] = i < NAME_BYTES ? head[i] : head[i & 31] ^ (i >> 3);
  contents.set(name, content);
  if (contents.size > KEPT) contents.delete(contents.keys().next().value!);
  return content;
}

function isContent(name: string, bytes: number, from: number, part: Uint8Array): boolean {
  const content = contentOf(name, bytes);
  for (let i = 0; i < part.length; i++) if (part[i] !== content[from + i]) return false;
  return from + part.length <= bytes;
}

/** @param pieceBytes a blob of so many is one piece */
export function simulatedPieces(pieceBytes: number, chunkBytes: number, windowBytes = 16 * chunkBytes): PieceRules {
  return {
    pieceBytes,
    chunkBytes,
    windowBytes,
    listBytes: () => NAME_BYTES + 4,
    nameOf(blob) {
      const name = bytesToHex(blob.subarray(0, NAME_BYTES));
      return name.length === 2 * NAME_BYTES && isContent(name, blob.length, 0, blob) ? name : "";
    },
    listOf(blob) {
      const list = new Uint8Array(NAME_BYTES + 4);
      list.set(blob.subarray(0, NAME_BYTES));
      new DataView(list.buffer).setUint32(NAME_BYTES, blob.length);
      return list;
    },
    decodeList(list, name) {
      const head = list.subarray(0, NAME_BYTES);
      if (list.length !== NAME_BYTES + 4 || bytesToHex(head) !== name) return undefined;
      return { bytes: new DataView(list.buffer, list.byteOffset).getUint32(NAME_BYTES), hashes: [head] };
    },
    isGood: ({ bytes, hashes }, index, piece) => isContent(bytesToHex(hashes[0]), bytes, index * pieceBytes, piece),
  };
}
