// Frames between two members of an island, over the same links as those of frames.ts and told apart by their type.
//
//   0       1         2       4
//   | type  | version | 0 u16 | body, little-endian
//
//   11 part   | island 32 bytes | message u32 | bytes u32 | offset u32 | payload |   of a message of so many bytes; parts may come in any order
//   12 took   | island 32 bytes | bytes u32 |                                        so many bytes more came: opens the sender's window
//   13 over   | island 32 bytes | reason, ASCII, 0..400 bytes |                      for this member the island is over
//   14 probe  | payload |                                                            how fast is this link: PROBE_BYTES of them are answered by
//   15 probed |
//
// Messages of one member to another are numbered from 0 in each island. A part has PART_BYTES, the last of a message what is left; its offset is a
// multiple of PART_BYTES. An empty message is one part without payload.
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { FRAME_BYTES_MAX, FRAME_VERSION } from "./frames.ts";

export type IslandFrame =
  | { type: "part"; island: string; message: number; bytes: number; offset: number; payload: Uint8Array }
  | { type: "took"; island: string; bytes: number }
  | { type: "over"; island: string; reason: string }
  | { type: "probe"; payload: Uint8Array }
  | { type: "probed" };

const HEADER_BYTES = 4;
const ID_BYTES = 32;
const PART_HEADER_BYTES = HEADER_BYTES + ID_BYTES + 12;
/** A part is as large a frame as a chunk of a blob. */
export const PART_BYTES = FRAME_BYTES_MAX - PART_HEADER_BYTES;
/** A member's parameters in f32, 134 million of them: it bounds what one frame makes the other end set aside. */
export const ISLAND_MESSAGE_BYTES_MAX = 512 * 2 ** 20;
/** 20 ms of 100 Mbit/s: long beside a round trip at home, and short beside a step. */
export const PROBE_BYTES = 256 * 1024;
const REASON_BYTES_MAX = 400;

const typeCodes = { part: 11, took: 12, over: 13, probe: 14, probed: 15 } as const;
const typeOfCode = new Map(
  Object.entries(typeCodes).map(([type, code]) => [code as number, type as IslandFrame["type"]]),
);

/** Bytes of a frame of each type without its tail, and the most that its tail may have. */
const sizes: Record<IslandFrame["type"], readonly [fixed: number, tailMax: number]> = {
  part: [PART_HEADER_BYTES, PART_BYTES],
  took: [HEADER_BYTES + ID_BYTES + 4, 0],
  over: [HEADER_BYTES + ID_BYTES, REASON_BYTES_MAX],
  probe: [HEADER_BYTES, FRAME_BYTES_MAX - HEADER_BYTES],
  probed: [HEADER_BYTES, 0],
};

/** By its first byte alone: whose it is to decode. */
export const isIslandFrame = (bytes: Uint8Array): boolean => typeOfCode.has(bytes[0]);

/** A reason is cut to what fits. @throws RangeError for a part that this side must not send, and for an id that is none. */
export function encodeIslandFrame(frame: IslandFrame): Uint8Array<ArrayBuffer> {
  const [fixed, tailMax] = sizes[frame.type];
  const tail = tailOf(frame);
  if (tail.length > tailMax) throw new RangeError(`${tail.length} bytes in one ${frame.type}: ${tailMax} is the most`);
  const bytes = new Uint8Array(fixed + tail.length);
  bytes[0] = typeCodes[frame.type];
  bytes[1] = FRAME_VERSION;
  bytes.set(tail, fixed);
  if ("island" in frame) putId(bytes, frame.island);
  const view = new DataView(bytes.buffer);
  if (frame.type === "took") view.setUint32(36, frame.bytes, true);
  if (frame.type === "part") {
    view.setUint32(36, frame.message, true);
    view.setUint32(40, frame.bytes, true);
    view.setUint32(44, frame.offset, true);
  }
  return bytes;
}

/** Undefined for anything malformed, a part that has no place in its message included: the sender is at fault. A payload is a view of `bytes`. */
export function decodeIslandFrame(bytes: Uint8Array): IslandFrame | undefined {
  const type = typeOfCode.get(bytes[0]);
  if (type === undefined || bytes[1] !== FRAME_VERSION || bytes[2] !== 0 || bytes[3] !== 0) return undefined;
  const [fixed, tailMax] = sizes[type];
  if (bytes.length < fixed || bytes.length > fixed + tailMax) return undefined;
  const tail = bytes.subarray(fixed);
  const u32 = (at: number): number =>
    new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
  const island = () => bytesToHex(bytes.subarray(HEADER_BYTES, HEADER_BYTES + ID_BYTES));
  switch (type) {
    case "part": {
      const part = { type, island: island(), message: u32(36), bytes: u32(40), offset: u32(44), payload: tail };
      return hasPlace(part) ? part : undefined;
    }
    case "took":
      return { type, island: island(), bytes: u32(36) };
    case "over":
      return { type, island: island(), reason: asciiOf(tail) };
    case "probe":
      return { type, payload: tail };
    case "probed":
      return { type };
  }
}

function hasPlace({ bytes, offset, payload }: Extract<IslandFrame, { type: "part" }>): boolean {
  if (bytes > ISLAND_MESSAGE_BYTES_MAX || offset % PART_BYTES !== 0) return false;
  if (bytes === 0) return offset === 0 && payload.length === 0;
  return offset < bytes && payload.length === Math.min(PART_BYTES, bytes - offset);
}

function tailOf(frame: IslandFrame): Uint8Array {
  switch (frame.type) {
    case "part":
      if (!hasPlace(frame))
        throw new RangeError(
          `${frame.payload.length} bytes at ${frame.offset} of ${frame.bytes}: no part of a message`,
        );
      return frame.payload;
    case "probe":
      return frame.payload;
    case "over":
      return Uint8Array.from(frame.reason.slice(0, REASON_BYTES_MAX), printable);
    default:
      return new Uint8Array(0);
  }
}

/** Reasons are our own words in English, and names of peers: what else a stranger writes there is of no use. */
const printable = (character: string): number => (/[ -~]/.test(character) ? character.charCodeAt(0) : 0x3f);

const asciiOf = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "?";
  return text;
};

function putId(bytes: Uint8Array, island: string): void {
  const id = hexToBytes(island);
  if (id.length !== ID_BYTES) throw new RangeError(`an island's id has ${ID_BYTES} bytes, not ${id.length}`);
  bytes.set(id, HEADER_BYTES);
}
