// Frames between two peers over one link (data channel, or the host's relay). A frame is a whole message; the largest (a chunk) fits one send.
//
//   0       1         2       4
//   | type  | version | 0 u16 | body, little-endian
//
//   1 want    | name 32 bytes |                                    I need this blob: say what you have of it, now and whenever it gets more
//   2 unwant  | name 32 bytes |                                    no longer
//   3 have    | name 32 bytes | first u32 | bitmap 0..2048 bytes | pieces that I have: bit i % 8 of byte i / 8 is piece first + i. No bitmap: all of them
//   4 ask     | request u32 | name 32 bytes | piece u32 | again u32 |    send me that piece; piece 2^32 - 1: the piece list; again 1: you said busy before
//   5 cancel  | request u32 |                                      do not send it, or what is left of it
//   6 chunk   | request u32 | offset u32 | payload |               offset from the start of the piece (or list); chunks may come in any order
//   7 ack     | request u32 | offset u32 | bytes u32 |             these bytes came: opens the sender's window
//   8 refuse  | request u32 | code u32 |                           1 not here, 2 no such piece, 3 busy
//   9 ping    | stamp f64 |        10 pong | stamp f64 |
//
//   11 to 15 are between members of an island: island-frames.ts
//
// A chunk has CHUNK_BYTES, the last of a piece what is left; its offset is a multiple of CHUNK_BYTES. `first` is a multiple of 8.
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { BLOB_BYTES_MAX, PIECE_BYTES } from "./blob.ts";

export const FRAME_VERSION = 2;
/** 16 KiB is what every WebRTC stack agrees on; larger chunks gain nothing once the window is kept full. */
export const CHUNK_BYTES = 16 * 1024;
/** Unacknowledged bytes per connection. bufferedAmount alone lets SCTP overshoot and collapse on a real line (20 Mbit/s, 40 ms). */
export const WINDOW_BYTES = 256 * 1024;
export const FRAME_BYTES_MAX = 12 + CHUNK_BYTES;
/** One bit for each piece of the largest blob. */
const BITMAP_BYTES_MAX = BLOB_BYTES_MAX / PIECE_BYTES / 8;
/** In `ask`: the piece list instead of a piece. */
export const PIECE_LIST = -1;
const PIECE_LIST_WIRE = 0xffff_ffff;
export const REQUEST_MAX = 0xffff_ffff;

export const refusals = { "not-here": 1, "no-such-piece": 2, busy: 3 } as const;
export type Refusal = keyof typeof refusals;

export type Frame =
  | { type: "want" | "unwant"; name: string }
  | { type: "have"; name: string; first: number; bitmap: Uint8Array }
  | { type: "ask"; request: number; name: string; piece: number; again: boolean }
  | { type: "cancel"; request: number }
  | { type: "chunk"; request: number; offset: number; payload: Uint8Array }
  | { type: "ack"; request: number; offset: number; bytes: number }
  | { type: "refuse"; request: number; code: Refusal }
  | { type: "ping" | "pong"; stamp: number };

const HEADER_BYTES = 4;
const NAME_BYTES = 32;
const typeCodes = {
  want: 1,
  unwant: 2,
  have: 3,
  ask: 4,
  cancel: 5,
  chunk: 6,
  ack: 7,
  refuse: 8,
  ping: 9,
  pong: 10,
} as const;
const typeOfCode = new Map(Object.entries(typeCodes).map(([type, code]) => [code as number, type as Frame["type"]]));
const refusalOfCode = new Map(Object.entries(refusals).map(([name, code]) => [code as number, name as Refusal]));

/** Bytes of a frame of each type, without bitmap and payload. */
const fixedBytes: Record<Frame["type"], number> = {
  want: HEADER_BYTES + NAME_BYTES,
  unwant: HEADER_BYTES + NAME_BYTES,
  have: HEADER_BYTES + NAME_BYTES + 4,
  ask: HEADER_BYTES + 4 + NAME_BYTES + 4 + 4,
  cancel: HEADER_BYTES + 4,
  chunk: HEADER_BYTES + 8,
  ack: HEADER_BYTES + 12,
  refuse: HEADER_BYTES + 8,
  ping: HEADER_BYTES + 8,
  pong: HEADER_BYTES + 8,
};
/** Of a frame that carries no payload, at most this many bytes are not control. */
export const CHUNK_HEADER_BYTES = fixedBytes.chunk;

/** @throws RangeError for a frame that this side must not send: a chunk above CHUNK_BYTES, a name that is no hash, a bitmap too long. */
export function encodeFrame(frame: Frame): Uint8Array {
  const tail = frame.type === "have" ? frame.bitmap : frame.type === "chunk" ? frame.payload : undefined;
  const fixed = fixedBytes[frame.type];
  const bytes = new Uint8Array(fixed + (tail?.length ?? 0));
  const view = new DataView(bytes.buffer);
  bytes[0] = typeCodes[frame.type];
  bytes[1] = FRAME_VERSION;
  if (tail) bytes.set(tail, fixed);
  switch (frame.type) {
    case "want":
    case "unwant":
      putName(bytes, 4, frame.name);
      return bytes;
    case "have":
      if (frame.bitmap.length > BITMAP_BYTES_MAX || frame.first % 8 !== 0)
        throw new RangeError(`pieces ${frame.first} and ${frame.bitmap.length} bytes of bitmap: no blob has them`);
      putName(bytes, 4, frame.name);
      view.setUint32(36, frame.first, true);
      return bytes;
    case "ask":
      view.setUint32(4, frame.request, true);
      putName(bytes, 8, frame.name);
      view.setUint32(40, frame.piece === PIECE_LIST ? PIECE_LIST_WIRE : frame.piece, true);
      view.setUint32(44, frame.again ? 1 : 0, true);
      return bytes;
    case "cancel":
      view.setUint32(4, frame.request, true);
      return bytes;
    case "chunk":
      if (frame.payload.length > CHUNK_BYTES)
        throw new RangeError(`a chunk of ${frame.payload.length} bytes: split it, ${CHUNK_BYTES} is the most`);
      view.setUint32(4, frame.request, true);
      view.setUint32(8, frame.offset, true);
      return bytes;
    case "ack":
      view.setUint32(4, frame.request, true);
      view.setUint32(8, frame.offset, true);
      view.setUint32(12, frame.bytes, true);
      return bytes;
    case "refuse":
      view.setUint32(4, frame.request, true);
      view.setUint32(8, refusals[frame.code], true);
      return bytes;
    case "ping":
    case "pong":
      view.setFloat64(4, frame.stamp, true);
      return bytes;
  }
}

/** Undefined for anything malformed: the sender is at fault. Payload and bitmap are views of `bytes`, not copies. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > FRAME_BYTES_MAX) return undefined;
  const type = typeOfCode.get(bytes[0]);
  if (type === undefined || bytes[1] !== FRAME_VERSION || bytes[2] !== 0 || bytes[3] !== 0) return undefined;
  const fixed = fixedBytes[type];
  const tailMax = type === "chunk" ? CHUNK_BYTES : type === "have" ? BITMAP_BYTES_MAX : 0;
  if (bytes.length < fixed || bytes.length > fixed + tailMax) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number): number => view.getUint32(at, true);
  switch (type) {
    case "want":
    case "unwant":
      return { type, name: nameAt(bytes, 4) };
    case "have": {
      const first = u32(36);
      if (first % 8 !== 0 || first >= 8 * BITMAP_BYTES_MAX) return undefined;
      return { type, name: nameAt(bytes, 4), first, bitmap: bytes.subarray(fixed) };
    }
    case "ask": {
      if (u32(44) > 1) return undefined;
      const piece = u32(40) === PIECE_LIST_WIRE ? PIECE_LIST : u32(40);
      return { type, request: u32(4), name: nameAt(bytes, 8), piece, again: u32(44) === 1 };
    }
    case "cancel":
      return { type, request: u32(4) };
    case "chunk":
      return { type, request: u32(4), offset: u32(8), payload: bytes.subarray(fixed) };
    case "ack":
      return { type, request: u32(4), offset: u32(8), bytes: u32(12) };
    case "refuse": {
      const code = refusalOfCode.get(u32(8));
      return code && { type, request: u32(4), code };
    }
    case "ping":
    case "pong": {
      const stamp = view.getFloat64(4, true);
      return Number.isFinite(stamp) ? { type, stamp } : undefined;
    }
  }
}

const nameAt = (bytes: Uint8Array, at: number): string => bytesToHex(bytes.subarray(at, at + NAME_BYTES));

function putName(bytes: Uint8Array, at: number, hex: string): void {
  const name = hexToBytes(hex);
  if (name.length !== NAME_BYTES) throw new RangeError(`a blob's name has ${NAME_BYTES} bytes, not ${name.length}`);
  bytes.set(name, at);
}
