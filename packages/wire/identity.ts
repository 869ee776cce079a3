// Who speaks: a volunteer is an Ed25519 key, a peer is that key and a slot (one per tab).
//
//   PeerId = 66 hex digits:  | public key, 32 bytes | slot, 1 byte |      so sorting the strings sorts the bytes
import { ed25519 } from "@noble/curves/ed25519.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import * as z from "zod/mini";
import { canonicalBytes } from "./spec.ts";

export type PeerId = string;
/** 64 hex digits. */
export type VolunteerId = string;

/** A browser with more than 16 tabs donating gains nothing: one GPU serves them all. */
export const SLOTS_MAX = 16;

export const peerIdSchema = z
  .string()
  .check(
    z.regex(/^[0-9a-f]{64}0[0-9a-f]$/, "a peer id: 64 hex digits of the volunteer's key, 2 of the slot (below 16)"),
  );
export const signatureSchema = z
  .string()
  .check(z.regex(/^[0-9a-f]{128}$/, "an Ed25519 signature as 128 lower-case hex digits"));

export interface Identity {
  readonly secretKey: Uint8Array; // 32 bytes, never leaves this machine
  readonly volunteer: VolunteerId;
}

/** @param seed 32 random bytes: the caller brings the randomness. */
export function identityFrom(seed: Uint8Array): Identity {
  return { secretKey: seed, volunteer: bytesToHex(ed25519.getPublicKey(seed)) };
}

/** What is signed says what it is: a signature for one purpose is worthless for another. */
export type Purpose =
  | "gossamer hello v1"
  | "gossamer offer v1"
  | "gossamer entry v1"
  | "gossamer mesh v1"
  | "gossamer provenance v1";

export function sign(identity: Identity, purpose: Purpose, value: unknown): string {
  return bytesToHex(ed25519.sign(canonicalBytes([purpose, value]), identity.secretKey));
}

/** False for a wrong signature and for malformed hex or keys alike: a stranger's bad bytes must not throw. */
export function verify(volunteer: VolunteerId, purpose: Purpose, value: unknown, signature: string): boolean {
  try {
    // RFC 8032's strict rules: a key of small order, under which one signature fits any message, is nobody.
    return ed25519.verify(hexToBytes(signature), canonicalBytes([purpose, value]), hexToBytes(volunteer), {
      zip215: false,
    });
  } catch {
    return false;
  }
}
