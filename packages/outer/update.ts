// An update: one peer's pseudo-gradient, encoded. A blob; the offer names its hash.
//
//   0        4         6       8       12           16      20       24             56
//   | "GUPD" | version | codec | round | parameters | block | tokens | base hash 32 | body, as the codec writes it    little-endian
//            | u16     | u16   | u32   | u32        | u32   | u32    |              |
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { assert } from "./assert.ts";
import type { Codec, Decoded, RunCodec } from "./codec/index.ts";

export const UPDATE_VERSION = 1;
/** The body follows. */
export const UPDATE_HEADER_BYTES = 56;
const MAGIC = 0x4450_5547; // "GUPD" as a little-endian u32

/** Bytes of an update of that codec at most; of a run's codec: in any round. */
export const updateBytesMax = (codec: Codec | RunCodec): number => UPDATE_HEADER_BYTES + codec.bodyBytesMax;

export interface UpdateHeader {
  readonly codec: Codec;
  readonly round: number;
  readonly baseHash: string;
  readonly tokens: number;
}

/**
 * Encodes what a peer offers: its pseudo-gradient (mark - local), with what error feedback adds.
 * @throws RangeError when it holds a value that is not finite or too large to decode: the training diverged, and there is nothing to offer.
 */
export const encodeUpdate = ({ delta, ...header }: UpdateHeader & { readonly delta: Float32Array }): Uint8Array =>
  updateOf(header, header.codec.encode(delta));

/** The update around a body that the codec has made, wherever. */
export function updateOf({ codec, round, baseHash, tokens }: UpdateHeader, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(UPDATE_HEADER_BYTES + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, UPDATE_VERSION, true);
  view.setUint16(6, codec.id, true);
  view.setUint32(8, round, true);
  view.setUint32(12, codec.length, true);
  view.setUint32(16, codec.block, true);
  view.setUint32(20, tokens, true);
  const base = hexToBytes(baseHash);
  assert(base.length === 32, "the base hash has 32 bytes");
  bytes.set(base, 24);
  bytes.set(body, UPDATE_HEADER_BYTES);
  return bytes;
}

/** What the update says, or why its weight is 0 by rule: the same answer on every machine, whatever the bytes. Never throws. */
export function readUpdate(bytes: Uint8Array, { codec, round, baseHash, tokens }: UpdateHeader): Decoded | string {
  if (bytes.length < UPDATE_HEADER_BYTES) return `${bytes.length} bytes are too few for an update`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return "not an update: wrong magic";
  if (view.getUint16(4, true) !== UPDATE_VERSION) return `update version ${view.getUint16(4, true)} is unknown`;
  if (view.getUint16(6, true) !== codec.id) return `made by codec ${view.getUint16(6, true)}, not ${codec.id}`;
  if (view.getUint32(8, true) !== round) return `made for round ${view.getUint32(8, true)}, not ${round}`;
  if (view.getUint32(12, true) !== codec.length)
    return `has ${view.getUint32(12, true)} parameters, not ${codec.length}`;
  if (view.getUint32(16, true) !== codec.block) return `blocks of ${view.getUint32(16, true)}, not ${codec.block}`;
  if (view.getUint32(20, true) !== tokens) return `says ${view.getUint32(20, true)} tokens, its offer ${tokens}`;
  if (bytesToHex(bytes.subarray(24, 56)) !== baseHash) return "made from another anchor";
  return codec.read(bytes.subarray(UPDATE_HEADER_BYTES));
}
