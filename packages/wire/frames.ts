// Frames between two peers over one data channel. A frame is a whole message; the largest (a chunk) fits one send.
//
//   0       1         2       4
//   | type  | version | 0 u16 | body, little-endian
//
//   1 want   | request u32 | blob name 32 bytes | offset u32 | bytes u32 |        offset and bytes inside the piece list or the blob
//   2 chunk  | request u32 | offset u32 | payload |                               offset from the start of what was wanted
//   3 ack    | request u32 | received u32 |                                       bytes taken so far: opens the sender's window
//   4 refuse | request u32 | code u32 |                                           1 unknown blob, 2 bad range, 3 busy
//   5 ping   | stamp f64 |        6 pong | stamp f64 |
//
// kind of want: the top bit of `request` is 0 for the blob's bytes, 1 for its piece list.
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

export const FRAME_VERSION = 1;
/** 16 KiB is what every WebRTC stack agrees on; larger chunks gain nothing once the window is kept full. */
export const CHUNK_BYTES = 16 * 1024;
/** Unacknowledged bytes per link. bufferedAmount alone lets SCTP overshoot and collapse on a real line (20 Mbit/s, 40 ms). */
export const WINDOW_BYTES = 256 * 1024;
export const FRAME_BYTES_MAX = 12 + CHUNK_BYTES;

export type Frame =
  | { type: "want"; request: number; pieceList: boolean; name: string; offset: number; bytes: number }
  | { type: "chunk"; request: number; pieceList: boolean; offset: number; payload: Uint8Array }
  | { type: "ack"; request: number; pieceList: boolean; received: number }
  | { type: "refuse"; request: number; pieceList: boolean; code: 1 | 2 | 3 }
  | { type: "ping" | "pong"; stamp: number };

const HEADER_BYTES = 4;
const PIECE_LIST_BIT = 0x8000_0000;
/** Requests are numbered below 2^31: the top bit says what is wanted. */
export const REQUEST_MAX = 0x7fff_ffff;
const typeCodes = { want: 1, chunk: 2, ack: 3, refuse: 4, ping: 5, pong: 6 } as const;
const WANT_BYTES = HEADER_BYTES + 4 + 32 + 4 + 4;
const CHUNK_HEADER_BYTES = HEADER_BYTES + 8;
const ACK_BYTES = HEADER_BYTES + 8; // refuse has the same size
const PING_BYTES = HEADER_BYTES + 8;

/** @throws RangeError for a frame that this side must not send: a chunk above CHUNK_BYTES, a request above REQUEST_MAX, a name that is no hash. */
export function encodeFrame(frame: Frame): Uint8Array {
  const bytes = new Uint8Array(sizeOf(frame));
  const view = new DataView(bytes.buffer);
  bytes[0] = typeCodes[frame.type];
  bytes[1] = FRAME_VERSION;
  if ("stamp" in frame) {
    view.setFloat64(4, frame.stamp, true);
    return bytes;
  }
  const { request, pieceList } = frame;
  if (!(request >= 0 && request <= REQUEST_MAX)) throw new RangeError(`request ${request} has no place in 31 bits`);
  view.setUint32(4, request + (pieceList ? PIECE_LIST_BIT : 0), true);
  switch (frame.type) {
    case "want": {
      const name = hexToBytes(frame.name);
      if (name.length !== 32) throw new RangeError(`a blob's name has 32 bytes, not ${name.length}`);
      bytes.set(name, 8);
      view.setUint32(40, frame.offset, true);
      view.setUint32(44, frame.bytes, true);
      return bytes;
    }
    case "chunk":
      if (frame.payload.length > CHUNK_BYTES)
        throw new RangeError(`a chunk of ${frame.payload.length} bytes: split it, ${CHUNK_BYTES} is the most`);
      view.setUint32(8, frame.offset, true);
      bytes.set(frame.payload, CHUNK_HEADER_BYTES);
      return bytes;
    case "ack":
      view.setUint32(8, frame.received, true);
      return bytes;
    case "refuse":
      view.setUint32(8, frame.code, true);
      return bytes;
  }
}

/** Undefined for anything malformed: the sender is at fault. The payload of a chunk is a view of `bytes`, not a copy. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < HEADER_BYTES + 8 || bytes.length > FRAME_BYTES_MAX) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[1] !== FRAME_VERSION || view.getUint16(2, true) !== 0) return undefined;
  const tagged = view.getUint32(4, true);
  const head = { request: tagged & REQUEST_MAX, pieceList: tagged >= PIECE_LIST_BIT };
  switch (bytes[0]) {
    case typeCodes.want: {
      if (bytes.length !== WANT_BYTES) return undefined;
      const name = bytesToHex(bytes.subarray(8, 40));
      return { type: "want", ...head, name, offset: view.getUint32(40, true), bytes: view.getUint32(44, true) };
    }
    case typeCodes.chunk:
      return { type: "chunk", ...head, offset: view.getUint32(8, true), payload: bytes.subarray(CHUNK_HEADER_BYTES) };
    case typeCodes.ack:
      if (bytes.length !== ACK_BYTES) return undefined;
      return { type: "ack", ...head, received: view.getUint32(8, true) };
    case typeCodes.refuse: {
      const code = view.getUint32(8, true);
      if (bytes.length !== ACK_BYTES || (code !== 1 && code !== 2 && code !== 3)) return undefined;
      return { type: "refuse", ...head, code };
    }
    case typeCodes.ping:
    case typeCodes.pong: {
      const stamp = view.getFloat64(4, true);
      if (bytes.length !== PING_BYTES || !Number.isFinite(stamp)) return undefined;
      return { type: bytes[0] === typeCodes.ping ? "ping" : "pong", stamp };
    }
    default:
      return undefined;
  }
}

function sizeOf(frame: Frame): number {
  switch (frame.type) {
    case "want":
      return WANT_BYTES;
    case "chunk":
      return CHUNK_HEADER_BYTES + frame.payload.length;
    case "ack":
    case "refuse":
      return ACK_BYTES;
    case "ping":
    case "pong":
      return PING_BYTES;
  }
}
