// A run's base, from a folder in Hugging Face's layout to blobs that the spec names.
//
//   draft.base.path: config.json + safetensors  ->  flat f32, checked  ->  blobs, hash
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { FormatError, modelFromConfig } from "#formats";
import { readLlama } from "#formats/disk";
import { BaseError, baseBlobs, baseHashOf } from "#outer";
import type { HostBlobs } from "#store/disk";
import { type BaseRef, blobName, type ModelShape } from "#wire";
import { type LoadedDraft, SpecError } from "./given.ts";

/**
 * A draft that names a base may leave its model out: the base's own then.
 * @param value as it was read, not checked yet
 * @param folder that base.path is relative to
 * @throws SpecError
 */
export async function withModelOfBase(value: unknown, folder: string): Promise<unknown> {
  const { base, model } = (value ?? {}) as { base?: { path?: unknown }; model?: unknown };
  if (typeof base?.path !== "string" || model !== undefined) return value;
  const path = join(resolve(folder, base.path), "config.json");
  try {
    return { ...(value as object), model: modelFromConfig(JSON.parse(await readFile(path, "utf8")), { name: path }) };
  } catch (error) {
    throw new SpecError(`base: ${path} gives no model: ${(error as Error).message}`);
  }
}

/**
 * Reads the draft's base and stores it, once: blobs that are there are not written again.
 * @throws SpecError which file, tensor or field is wrong, and what would do; then nothing of the base is stored
 */
export async function storeBase({ draft, folder }: LoadedDraft, blobs: HostBlobs): Promise<BaseRef | undefined> {
  if (!draft.base) return undefined;
  const { path, source, licence } = draft.base;
  const { contextLength } = draft.model;
  try {
    const { model, parameters } = await readLlama(resolve(folder, path), { contextLength });
    checkModel(draft.model, model, path);
    const hash = baseHashOf(baseBlobs(parameters)); // all of it is read and finite before the first is stored
    const refs: BaseRef["blobs"] = [];
    for (const bytes of baseBlobs(parameters)) {
      const name = blobName(bytes);
      if ((await blobs.bytes(name)) !== bytes.length) await blobs.put(name, bytes);
      refs.push({ hash: name, bytes: bytes.length });
    }
    return { source, licence, hash, blobs: refs };
  } catch (error) {
    if (error instanceof FormatError || error instanceof BaseError) throw new SpecError(`base: ${error.message}`);
    throw error;
  }
}

function checkModel(wanted: ModelShape, found: ModelShape, path: string): void {
  for (const field of Object.keys(found) as (keyof ModelShape)[])
    if (wanted[field] !== found[field])
      throw new SpecError(
        `model.${field} is ${JSON.stringify(wanted[field])}, but the base's config.json in ${path} says ${JSON.stringify(found[field])}. Make them equal, or leave model out: it is the base's own then.`,
      );
}
