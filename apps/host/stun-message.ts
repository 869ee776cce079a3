// STUN messages (RFC 8489) as STUN and TURN (RFC 8656) need them: read, written, and signed with a long-term credential.
//
//   | type u16: class and method | length u16 | cookie | transaction 12 | attributes: type u16, length u16, value padded to 4 … |
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { isIPv6 } from "node:net";

export const methods = {
  binding: 0x001,
  allocate: 0x003,
  refresh: 0x004,
  send: 0x006,
  data: 0x007,
  createPermission: 0x008,
  channelBind: 0x009,
} as const;
export const classes = { request: 0x000, indication: 0x010, success: 0x100, error: 0x110 } as const;
export const attributes = {
  username: 0x0006,
  integrity: 0x0008,
  errorCode: 0x0009,
  channelNumber: 0x000c,
  lifetime: 0x000d,
  peerAddress: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  relayedAddress: 0x0016,
  requestedTransport: 0x0019,
  mappedAddress: 0x0020,
} as const;

const COOKIE = 0x2112a442;
const HEADER_BYTES = 20;
const INTEGRITY_BYTES = 20;

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface StunMessage {
  readonly method: number;
  readonly class: number;
  readonly transaction: Buffer; // 12 bytes
  readonly attributes: readonly (readonly [type: number, value: Buffer])[];
}

/** Undefined when it is none. */
export function decodeStun(bytes: Buffer): StunMessage | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] > 0x3f || bytes.readUInt32BE(4) !== COOKIE) return undefined;
  if (bytes.readUInt16BE(2) !== bytes.length - HEADER_BYTES || bytes.length % 4 !== 0) return undefined;
  const type = bytes.readUInt16BE(0);
  const found: [number, Buffer][] = [];
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const length = bytes.readUInt16BE(at + 2);
    if (at + 4 + length > bytes.length) return undefined;
    found.push([bytes.readUInt16BE(at), bytes.subarray(at + 4, at + 4 + length)]);
    at += 4 + length + (-length & 3);
  }
  return {
    method: type & ~classes.error,
    class: type & classes.error,
    transaction: Buffer.from(bytes.subarray(8, HEADER_BYTES)),
    attributes: found,
  };
}

export const attributeOf = ({ attributes: all }: StunMessage, type: number): Buffer | undefined =>
  all.find(([one]) => one === type)?.[1];

/** @param key signs it, where there is one */
export function encodeStun(message: StunMessage, key?: Buffer): Buffer {
  const parts = message.attributes.map(([type, value]) => attribute(type, value));
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(message.class | message.method, 0);
  header.writeUInt16BE(body.length + (key === undefined ? 0 : 4 + INTEGRITY_BYTES), 2);
  header.writeUInt32BE(COOKIE, 4);
  message.transaction.copy(header, 8);
  const unsigned = Buffer.concat([header, body]);
  if (key === undefined) return unsigned;
  return Buffer.concat([unsigned, attribute(attributes.integrity, hmac(key, unsigned))]);
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + value.length + (-value.length & 3));
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}

const hmac = (key: Buffer, bytes: Buffer): Buffer => createHmac("sha1", key).update(bytes).digest();

/** Of the long-term credential mechanism: RFC 8489, 9.2.2. */
export const credentialKey = (username: string, realm: string, password: string): Buffer =>
  createHash("md5").update(`${username}:${realm}:${password}`).digest();

/** Whether the message as it came carries that key's signature. */
export function isSignedWith(bytes: Buffer, key: Buffer): boolean {
  for (let at = HEADER_BYTES; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 2);
    if (bytes.readUInt16BE(at) === attributes.integrity) {
      if (length !== INTEGRITY_BYTES) return false;
      const before = Buffer.from(bytes.subarray(0, at));
      before.writeUInt16BE(at + 4 + INTEGRITY_BYTES - HEADER_BYTES, 2); // as if it were the last attribute
      return timingSafeEqual(hmac(key, before), bytes.subarray(at + 4, at + 4 + INTEGRITY_BYTES));
    }
    at += 4 + length + (-length & 3);
  }
  return false;
}

function ipv6Bytes(address: string): Buffer {
  const [head, tail] = address.split("%")[0].split("::");
  const groups = (part: string | undefined) => (part ? part.split(":") : []);
  // ::ffff:192.0.2.1 ends in dotted decimals
  const expand = (list: string[]) =>
    list.flatMap((group) => {
      if (!group.includes(".")) return [Number.parseInt(group, 16)];
      const [a, b, c, d] = group.split(".").map(Number);
      return [a * 256 + b, c * 256 + d];
    });
  const left = expand(groups(head));
  const right = expand(groups(tail));
  const words = [...left, ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
  const bytes = Buffer.alloc(16);
  for (let i = 0; i < 8; i++) bytes.writeUInt16BE(words[i] ?? 0, 2 * i);
  return bytes;
}

/**
 * An XOR-…-ADDRESS: some home routers rewrite addresses that they recognise in a packet.
 * @param transaction of the message; IPv4 does not need it
 */
export function encodeEndpoint({ address, port }: Endpoint, transaction: Buffer = Buffer.alloc(12)): Buffer {
  const ip = isIPv6(address) ? ipv6Bytes(address) : Buffer.from(address.split(".").map(Number));
  const mask = Buffer.alloc(16);
  mask.writeUInt32BE(COOKIE, 0);
  transaction.copy(mask, 4);
  const bytes = Buffer.alloc(4 + ip.length);
  bytes.writeUInt8(ip.length === 4 ? 1 : 2, 1);
  bytes.writeUInt16BE(port ^ (COOKIE >>> 16), 2);
  for (const [i, byte] of ip.entries()) bytes[4 + i] = byte ^ mask[i];
  return bytes;
}

/** Undefined when it is no IPv4 address. */
export function decodeEndpoint(bytes: Buffer): Endpoint | undefined {
  if (bytes.length !== 8 || bytes[1] !== 1) return undefined;
  const ip = Buffer.alloc(4);
  ip.writeUInt32BE((bytes.readUInt32BE(4) ^ COOKIE) >>> 0, 0);
  return { address: [...ip].join("."), port: bytes.readUInt16BE(2) ^ (COOKIE >>> 16) };
}

export function errorCode(code: number, reason: string): Buffer {
  return Buffer.concat([Buffer.from([0, 0, Math.floor(code / 100), code % 100]), Buffer.from(reason)]);
}

/** Undefined when it is none: channels have 0x4000 to 0x7fff (RFC 5766; RFC 8656 gives out those to 0x4fff). */
export function decodeChannelData(bytes: Buffer): { channel: number; data: Buffer } | undefined {
  if (bytes.length < 4 || bytes[0] < 0x40 || bytes[0] > 0x7f) return undefined;
  const length = bytes.readUInt16BE(2);
  if (4 + length > bytes.length) return undefined;
  return { channel: bytes.readUInt16BE(0), data: bytes.subarray(4, 4 + length) };
}

export function encodeChannelData(channel: number, data: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(channel, 0);
  header.writeUInt16BE(data.length, 2);
  return Buffer.concat([header, data]);
}
