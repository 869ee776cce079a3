// Lists that are too long for the log: an entry names them by their blob, which the host keeps aside and serves.
//
//   roster:    | peer id, 33 bytes | peer id | ...            of an `open`, strictly ascending: position = place in this list
//   manifest:  canonical JSON of the signed offers of a group, sorted by peer
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import * as z from "zod/mini";
import { type PeerId, peerIdSchema } from "./identity.ts";
import { CONTRIBUTORS_MAX, ROSTER_MAX, type SignedOffer, signedOfferSchema } from "./log.ts";
import { canonicalBytes } from "./spec.ts";

const ID_BYTES = 33;
const manifestSchema = z.array(signedOfferSchema).check(z.minLength(2), z.maxLength(CONTRIBUTORS_MAX));

export function encodeRoster(roster: readonly PeerId[]): Uint8Array {
  const bytes = new Uint8Array(ID_BYTES * roster.length);
  for (const [i, peer] of roster.entries()) bytes.set(hexToBytes(peer), ID_BYTES * i);
  return bytes;
}

/** Undefined when the bytes are no roster. */
export function decodeRoster(bytes: Uint8Array): PeerId[] | undefined {
  const size = bytes.length / ID_BYTES;
  if (!Number.isInteger(size) || size < 1 || size > ROSTER_MAX) return undefined;
  const roster = Array.from({ length: size }, (_, i) => bytesToHex(bytes.subarray(ID_BYTES * i, ID_BYTES * (i + 1))));
  const good = roster.every((peer, i) => peerIdSchema.safeParse(peer).success && (i === 0 || roster[i - 1] < peer));
  return good ? roster : undefined;
}

export const encodeManifest = (offers: readonly SignedOffer[]): Uint8Array => canonicalBytes(offers);

/** Ids, hashes and numbers: ASCII all through. A portion at a time: an engine takes some tens of thousands of arguments. */
function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return text;
}

/** Undefined when the bytes are no manifest. */
export function decodeManifest(bytes: Uint8Array): SignedOffer[] | undefined {
  try {
    const parsed = manifestSchema.safeParse(JSON.parse(textOf(bytes)));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
