// What a checkpoint is as a whole model, for whoever computes or exports: where a run trains adapters, the base with them merged into it.
import { type Digest, loadBase, mergeAdapters } from "#outer";
import type { BlobStore } from "#store";
import type { RunSpec } from "#wire";

const digest: Digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** Flat, checked against the spec. @throws BaseError when a blob of it is missing or damaged */
export const readBase = (spec: RunSpec, blobs: Pick<BlobStore, "get">): Promise<Float32Array> =>
  loadBase(spec, ({ hash }) => blobs.get(hash), digest);

/** @param shared a checkpoint's parameters: the model's, or adapters. @throws BaseError */
export async function wholeModel(
  spec: RunSpec,
  blobs: Pick<BlobStore, "get">,
  shared: Float32Array,
): Promise<Float32Array> {
  return spec.lora ? mergeAdapters(spec.model, spec.lora, await readBase(spec, blobs), shared) : shared;
}
