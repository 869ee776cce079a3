// A volunteer's key as a file, so that credit survives a new laptop: the seed under a passphrase, as JSON (docs/FORMATS.md).
//
//   sealKey(seed, name, passphrase, random) -> text          openKey(text, passphrase) -> seed, name, or KeyFileError
//
// PBKDF2 stretches the passphrase, AES-GCM keeps the seed secret, and whole: with the header as its additional data, nothing of the file
// can be changed unseen.
import * as z from "zod/mini";
import { canonicalBytes, identityFrom, publicKeySchema, type VolunteerId } from "#wire";
import { base64, bytesOf, KEY_FILE_LENGTH_MAX, KeyFileError } from "./key-link.ts";
import { PASSPHRASE_LENGTH_MIN } from "./passphrase.ts";

const FORMAT = "gossamer volunteer key";
const VERSION = 1;
/** OWASP's number for PBKDF2 with HMAC-SHA-256 (2023): a third of a second on a laptop, a second on a phone. */
const ITERATIONS = 600_000;
/** A stranger's file must not keep a phone busy for minutes, and must not make a weak one look like ours. */
const ITERATIONS_MIN = 100_000;
const ITERATIONS_MAX = 5_000_000;
const SALT_BYTES = 16;
const IV_BYTES = 12; // what AES-GCM is made for
const SEED_BYTES = 32;
const NAME_LENGTH_MAX = 40;

const headerSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  volunteer: publicKeySchema,
  name: z.string().check(z.maxLength(NAME_LENGTH_MAX)),
  kdf: z.literal("PBKDF2-HMAC-SHA-256"),
  iterations: z.int().check(z.minimum(ITERATIONS_MIN), z.maximum(ITERATIONS_MAX)),
  salt: z.base64(),
  cipher: z.literal("AES-256-GCM"),
  iv: z.base64(),
});
const fileSchema = z.extend(headerSchema, { seed: z.base64() });
type Header = z.infer<typeof headerSchema>;

export interface OpenedKey {
  readonly seed: Uint8Array;
  readonly volunteer: VolunteerId;
  readonly name: string;
}

/** @param random 28 bytes or more: the caller brings the randomness, and never the same twice */
export async function sealKey(seed: Uint8Array, name: string, passphrase: string, random: Uint8Array): Promise<string> {
  if (seed.length !== SEED_BYTES) throw new TypeError(`a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  if (random.length < SALT_BYTES + IV_BYTES) throw new TypeError("too little randomness");
  if (passphrase.length < PASSPHRASE_LENGTH_MIN)
    throw new KeyFileError("too-short", `a passphrase has at least ${PASSPHRASE_LENGTH_MIN} characters`);
  const header: Header = {
    format: FORMAT,
    version: VERSION,
    volunteer: identityFrom(seed).volunteer,
    name: name.slice(0, NAME_LENGTH_MAX),
    kdf: "PBKDF2-HMAC-SHA-256",
    iterations: ITERATIONS,
    salt: base64(random.subarray(0, SALT_BYTES)),
    cipher: "AES-256-GCM",
    iv: base64(random.subarray(SALT_BYTES, SALT_BYTES + IV_BYTES)),
  };
  const key = await keyOf(header, passphrase, "encrypt");
  const sealed = await crypto.subtle.encrypt(algorithmOf(header), key, new Uint8Array(seed));
  return JSON.stringify({ ...header, seed: base64(new Uint8Array(sealed)) });
}

/** @throws KeyFileError */
export async function openKey(text: string, passphrase: string): Promise<OpenedKey> {
  const { seed: sealed, ...header } = parse(text);
  const key = await keyOf(header, passphrase, "decrypt");
  let seed: Uint8Array;
  try {
    seed = new Uint8Array(await crypto.subtle.decrypt(algorithmOf(header), key, bytesOf(sealed)));
  } catch (cause) {
    throw new KeyFileError("passphrase", "the passphrase does not open this file", cause);
  }
  if (seed.length !== SEED_BYTES || identityFrom(seed).volunteer !== header.volunteer)
    throw new KeyFileError("damaged", "what the file holds is not the key that it names");
  return { seed, volunteer: header.volunteer, name: header.name };
}

function parse(text: string): z.infer<typeof fileSchema> {
  const value = text.length > KEY_FILE_LENGTH_MAX ? undefined : parseJson(text);
  const { format, version } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (format !== FORMAT) throw new KeyFileError("not-a-key", "this is no volunteer's key");
  if (version !== VERSION)
    throw new KeyFileError("version", `version ${String(version)} of a volunteer's key is unknown`);
  const parsed = fileSchema.safeParse(value);
  if (!parsed.success)
    throw new KeyFileError("damaged", `${parsed.error.issues[0].path.join(".")} is not as it was written`);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const algorithmOf = (header: Header): AesGcmParams => ({
  name: "AES-GCM",
  iv: bytesOf(header.iv),
  additionalData: new Uint8Array(canonicalBytes(header)),
});

async function keyOf(header: Header, passphrase: string, use: KeyUsage): Promise<CryptoKey> {
  // The same passphrase may be typed in two forms on two systems.
  const typed = new TextEncoder().encode(passphrase.normalize("NFKC"));
  const material = await crypto.subtle.importKey("raw", typed, "PBKDF2", false, ["deriveKey"]);
  const { iterations, salt } = header;
  const stretched = { name: "PBKDF2", hash: "SHA-256", iterations, salt: bytesOf(salt) };
  return crypto.subtle.deriveKey(stretched, material, { name: "AES-GCM", length: 256 }, false, [use]);
}
