// A run's base, from a folder in Hugging Face's layout to blobs that the spec names.
//
//   draft.base.path: config.json + safetensors  ->  flat f32, checked  ->  blobs, hash
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { FormatError, modelFromConfig } from "#formats";
import { readLlama } from "#formats/disk";
import { BaseError, baseBlobs, baseHashOf } from "#outer";
import type { HostBlobs } from "#store/disk";
import { type BaseRef, blobName, type ModelShape, type RunDraft } from "#wire";
import { type LoadedDraft, readGiven, SpecError } from "./given.ts";

/** What is read of a draft before it is checked. */
interface Unchecked {
  readonly base?: { readonly path?: unknown };
  readonly model?: unknown;
  readonly corpus?: { readonly tokenizer?: unknown };
}

/**
 * A draft that names a base may leave out the model, and the tokenizer where the base has one: they are the base's own then.
 * @param value as it was read, not checked yet
 * @param folder that base.path is relative to
 * @throws SpecError
 */
export async function completedByBase(value: unknown, folder: string): Promise<unknown> {
  const { base, model, corpus } = (value ?? {}) as Unchecked;
  if (typeof base?.path !== "string") return value;
  const beside = resolve(folder, base.path);
  const hasTokenizer = (await readGiven(join(beside, TOKENIZER))) !== undefined;
  const takesTokenizer = hasTokenizer && corpus !== undefined && corpus.tokenizer === undefined;
  return {
    ...(value as object),
    ...(model === undefined && { model: await modelIn(join(beside, "config.json")) }),
    ...(takesTokenizer && { corpus: { ...corpus, tokenizer: { kind: "file", path: join(base.path, TOKENIZER) } } }),
  };
}

const TOKENIZER = "tokenizer.json";
/** Of the bytes tokenizer. */
const BYTES = 256;

async function modelIn(path: string): Promise<ModelShape> {
  try {
    return modelFromConfig(JSON.parse(await readFile(path, "utf8")), { name: path });
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
    await checkTokenizer(draft, folder, path);
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

/** Ids mean what the base learnt them to mean, so another tokenizer than its own is a mistake. */
async function checkTokenizer({ corpus, model }: RunDraft, folder: string, path: string): Promise<void> {
  const { tokenizer: wanted = "bytes" } = corpus;
  const own = await readGiven(join(resolve(folder, path), TOKENIZER));
  const refuse = (found: string, remedy: string): SpecError =>
    new SpecError(`corpus.tokenizer is ${found}: ids would not mean what the base learnt. ${remedy}`);
  const name = own ? `Leave it out: the base's own, ${join(path, TOKENIZER)}, is taken.` : `Name the base's own.`;
  if (wanted === "bytes") {
    if (model.vocabSize > BYTES) throw refuse(`"bytes", but the base in ${path} has ${model.vocabSize} tokens`, name);
  } else if (wanted.kind === "train") throw refuse("to be trained here", name);
  else if (own && !(await isSame(own, resolve(folder, wanted.path))))
    throw refuse(`${wanted.path}, which is not the one that lies beside the base`, name);
}

async function isSame(own: Uint8Array, path: string): Promise<boolean> {
  const other = await readGiven(path);
  return other === undefined || Buffer.compare(own, other) === 0; // a file that is missing is told by whoever reads it
}
