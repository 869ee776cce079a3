// The run's base on this machine: blobs from the browser's store, else through the exchange, each checked by its name, as one flat vector.
import { type Digest, loadBase } from "#outer";
import type { RunSpec } from "#wire";
import type { DatasetSources } from "./dataset.ts";

const browsersDigest: Digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/**
 * Kept in the store, so that it is fetched once; the vector is the caller's own. A blob that is damaged in the store comes again.
 * @param onProgress bytes that are here so far
 * @throws BaseError when the spec's base is not one of its model
 */
export function loadRunBase(
  spec: RunSpec,
  { shelf, fetch }: DatasetSources,
  onProgress: (bytes: number) => void = () => {},
): Promise<Float32Array> {
  let bytesHere = 0;
  const bytesOf = async ({ hash, bytes }: { hash: string; bytes: number }, damaged = false): Promise<Uint8Array> => {
    if (damaged) await shelf.delete(hash); // a store does not write a name twice
    let blob = damaged ? undefined : await shelf.get(hash);
    if (!blob) {
      blob = await fetch(hash, bytes);
      await shelf.keep(hash, blob);
    }
    if (!damaged) bytesHere += bytes;
    onProgress(bytesHere);
    return blob;
  };
  return loadBase(spec, bytesOf, browsersDigest);
}
