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
