// A run's base: the parameters that it starts from, flat f32 little-endian in parameterTable order, cut into blobs that the spec names.
//
//   flat vector -> baseBlobs -> blobs on the host -> peers, from one another -> loadBase: each blob checked by its name -> flat vector
//
// Nobody computes with a base that was not checked, blob by blob, against the spec.
import { sha256 } from "@noble/hashes/sha2.js";
import { type BaseRef, blobName, hashHex, type ModelShape, PIECE_BYTES, pieceListOf, type RunSpec } from "#wire";
import { copyCanonical } from "./canonical.ts";
import { parameterTable } from "./parameters.ts";
import type { Digest } from "./state.ts";

/** 16 MiB: 31 blobs of GPT-2 small, 1,024 of them hold 4 billion parameters, and what is checked at once is small beside the model. */
const BLOB_FLOATS = (16 * 2 ** 20) / 4;

/** What a spec says of a base is not so; the message says what, and the remedy. */
export class BaseError extends Error {
  override readonly name = "BaseError";
}

/** Whether the run's genesis is its base, so that whoever begins at round 0 needs it. With adapters genesis is of the seed alone. */
export const startsFromBase = ({ base, lora }: Pick<RunSpec, "base" | "lora">): boolean =>
  base !== undefined && lora === undefined;

/** The bytes of each blob, own copies; -0 becomes +0. @throws BaseError at a value that is no finite number */
export function* baseBlobs(flat: Float32Array, blobFloats = BLOB_FLOATS): Generator<Uint8Array<ArrayBuffer>> {
  for (let start = 0; start < flat.length; start += blobFloats) {
    const part = new Float32Array(Math.min(blobFloats, flat.length - start));
    const bad = copyCanonical(flat, start, part, part.length);
    if (bad !== -1)
      throw new BaseError(
        `base: parameter ${bad} is ${flat[bad]}: a base holds finite numbers alone. Take other weights.`,
      );
    yield new Uint8Array(part.buffer);
  }
}

/** SHA-256 of all blobs one behind the other: what the spec calls the base's hash. */
export function baseHashOf(blobs: Iterable<Uint8Array>): string {
  const hash = sha256.create();
  for (const blob of blobs) hash.update(blob);
  return Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The base's parameters, checked.
 * @param bytesOf one blob, from wherever it is; whoever answers need not have checked it, and is asked once more when what came was damaged
 * @param digest the platform's own SHA-256; absent: the slower one in JavaScript
 * @throws BaseError which blob is missing or is another one, or that they are not as long as the model
 */
export async function loadBase(
  { model, base }: { readonly model: ModelShape; readonly base?: BaseRef | undefined },
  bytesOf: (ref: BaseRef["blobs"][number], damaged?: boolean) => Promise<Uint8Array | undefined>,
  digest?: Digest,
): Promise<Float32Array> {
  if (!base) throw new BaseError("the run has no base");
  const { length } = parameterTable(model);
  const said = base.blobs.reduce((sum, { bytes }) => sum + bytes, 0);
  if (said !== 4 * length)
    throw new BaseError(
      `base: its blobs are ${said} bytes, but the model's ${length} parameters take ${4 * length}. The spec is at fault: tell the run's operator.`,
    );
  const flat = new Float32Array(length);
  const whole = new Uint8Array(flat.buffer);
  let at = 0;
  for (const [index, ref] of base.blobs.entries()) {
    const isGood = async (bytes: Uint8Array) =>
      bytes.length === ref.bytes && (await nameOf(bytes, digest)) === ref.hash;
    let bytes = await bytesOf(ref);
    let good = bytes !== undefined && (await isGood(bytes));
    if (bytes !== undefined && !good) {
      bytes = (await bytesOf(ref, true)) ?? bytes;
      good = await isGood(bytes);
    }
    const which = `blob ${index + 1} of ${base.blobs.length} (${ref.hash.slice(0, 12)})`;
    if (bytes === undefined)
      throw new BaseError(
        `base: ${which} is not here. Bring it back from a backup, or start the host with the draft's folder again.`,
      );
    if (bytes.length !== ref.bytes)
      throw new BaseError(
        `base: ${which} has ${bytes.length} bytes, the spec says ${ref.bytes}. It is damaged: delete it, and it is fetched again.`,
      );
    if (!good)
      throw new BaseError(
        `base: ${which} is not what its name says. It is damaged: delete it, and it is fetched again.`,
      );
    whole.set(bytes, at);
    at += bytes.length;
  }
  return flat;
}

async function nameOf(bytes: Uint8Array, digest: Digest | undefined): Promise<string> {
  if (!digest) return blobName(bytes);
  const hashes: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += PIECE_BYTES)
    hashes.push(await digest(bytes.slice(start, start + PIECE_BYTES)));
  return hashHex(pieceListOf(bytes.length, hashes));
}
