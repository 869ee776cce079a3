// What crosses the WebSocket /relay: frames of two peers that no direct connection reaches, and who wants one.
//
//   peer -> host, first, as text: {"version": 1, "session": "…"}        the session that `welcome` named on /signal
//
//   0       1               34
//   | kind  | peer, 33 bytes | frame … |       binary, both ways; the frame is frames.ts's, and there for kind 3 alone
//
//   kind   peer -> host                               host -> peer
//   1      ask: a link to that peer, if it asks too   open: both have asked
//   2      leave: not any more                        close: the other end left, or it may not be; what was asked is forgotten
//   3      frame to that peer                         frame from that peer
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import * as z from "zod/mini";
import { FRAME_BYTES_MAX } from "./frames.ts";
import { type PeerId, peerIdSchema } from "./identity.ts";

export const RELAY_VERSION = 1;
const PEER_BYTES = 33;
const HEADER_BYTES = 1 + PEER_BYTES;
export const RELAY_MESSAGE_BYTES_MAX = HEADER_BYTES + FRAME_BYTES_MAX;

const kindCodes = { ask: 1, leave: 2, frame: 3 } as const;
export type RelayKind = keyof typeof kindCodes;

/** From the host, `ask` means open and `leave` means close: one layout for both ways. */
export interface RelayMessage {
  readonly kind: RelayKind;
  readonly peer: PeerId;
  readonly frame: Uint8Array; // empty unless kind is frame; a view of what was decoded
}

const noFrame = new Uint8Array(0);

export function encodeRelay(kind: RelayKind, peer: PeerId, frame: Uint8Array = noFrame): Uint8Array<ArrayBuffer> {
  if (frame.length > FRAME_BYTES_MAX)
    throw new RangeError(`a frame of ${frame.length} bytes: ${FRAME_BYTES_MAX} is the most`);
  const bytes = new Uint8Array(HEADER_BYTES + frame.length);
  bytes[0] = kindCodes[kind];
  bytes.set(hexToBytes(peer), 1);
  bytes.set(frame, HEADER_BYTES);
  return bytes;
}

/** Undefined for anything malformed: the sender is at fault. */
export function decodeRelay(bytes: Uint8Array): RelayMessage | undefined {
  if (bytes.length < HEADER_BYTES || bytes.length > RELAY_MESSAGE_BYTES_MAX) return undefined;
  const kind = (Object.keys(kindCodes) as RelayKind[]).find((name) => kindCodes[name] === bytes[0]);
  const peer = bytesToHex(bytes.subarray(1, HEADER_BYTES));
  if (kind === undefined || !peerIdSchema.safeParse(peer).success) return undefined;
  if ((kind === "frame") !== bytes.length > HEADER_BYTES) return undefined;
  return { kind, peer, frame: bytes.subarray(HEADER_BYTES) };
}

const helloSchema = z.strictObject({ version: z.literal(RELAY_VERSION), session: z.string().check(z.maxLength(100)) });
/** A version and a token. */
export const RELAY_HELLO_BYTES_MAX = 200;

export const encodeRelayHello = (session: string): string => JSON.stringify({ version: RELAY_VERSION, session });

/** The session, or undefined: not a hello of this version. */
export function decodeRelayHello(text: string): string | undefined {
  if (text.length > RELAY_HELLO_BYTES_MAX) return undefined;
  try {
    return helloSchema.parse(JSON.parse(text)).session;
  } catch {
    return undefined;
  }
}
