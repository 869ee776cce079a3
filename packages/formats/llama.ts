// A Llama's weights in safetensors, of one file or several, -> the flat vector of outer's parameterTable.
//
//   files -> each tensor of the table, found by name, its shape and type compared -> 4 MiB at a time to f32 -> flat
import { parameterTable, type TensorPlace } from "#outer";
import type { ModelShape } from "#wire";
import { bytesPerFloat, type FloatType, floatsFrom, floatTypes } from "./floats.ts";
import type { SafetensorsFile, StoredTensor } from "./safetensors.ts";
import { FormatError } from "./source.ts";

/** Read at once: beside the vector itself nothing grows with the model. */
const READ_BYTES = 4 * 1024 * 1024;
/** More are not named in a message. */
const NAMED_MAX = 3;
const HEAD = "lm_head.weight";
const EMBEDDING = "model.embed_tokens.weight";
/** Old checkpoints hold what every reader computes anew. */
const isComputed = (name: string): boolean => name.endsWith(".rotary_emb.inv_freq");

interface Found {
  readonly file: SafetensorsFile;
  readonly tensor: StoredTensor;
}

/**
 * All values finite, -0 as +0, as shared state is.
 * @param onProgress floats read so far, of all
 * @throws FormatError
 */
export async function readLlamaParameters(
  files: readonly SafetensorsFile[],
  model: ModelShape,
  onProgress: (read: number, all: number) => void = () => {},
): Promise<Float32Array<ArrayBuffer>> {
  const stored = tensorsOf(files);
  const table = parameterTable(model);
  const extra = new Set([...stored.keys()].filter((name) => !isComputed(name)));
  for (const place of table.tensors) {
    const found = stored.get(place.name);
    if (found === undefined) throw missing(place.name, files);
    checkTensor(found, place);
    extra.delete(place.name);
  }
  const tied = model.tiedEmbedding && extra.delete(HEAD); // older files hold a tied head as well
  if (extra.size > 0) throw unknown([...extra], stored);
  const flat = new Float32Array(table.length);
  for (const place of table.tensors) {
    await readInto(flat, place.offset, stored.get(place.name)!);
    onProgress(place.offset + place.length, table.length);
  }
  if (tied) await checkTied(stored.get(HEAD)!, flat, table.tensors.find(({ name }) => name === EMBEDDING)!);
  return flat;
}

function tensorsOf(files: readonly SafetensorsFile[]): Map<string, Found> {
  const stored = new Map<string, Found>();
  for (const file of files) {
    for (const [name, tensor] of file.tensors) {
      const before = stored.get(name);
      if (before !== undefined)
        throw new FormatError(
          `${name} is in ${before.file.source.name} and in ${file.source.name}. Keep the files of one model in a folder of their own.`,
        );
      stored.set(name, { file, tensor });
    }
  }
  return stored;
}

function missing(name: string, files: readonly SafetensorsFile[]): FormatError {
  const where = files.map(({ source }) => source.name).join(", ");
  const remedy =
    name === HEAD
      ? "If the embedding is the head, config.json must say tie_word_embeddings: true."
      : "The files do not belong to this config.json, or one is missing.";
  return new FormatError(`${where}: there is no tensor ${name}. ${remedy}`);
}

function unknown(names: readonly string[], stored: ReadonlyMap<string, Found>): FormatError {
  const { file } = stored.get(names[0])!;
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : "";
  return new FormatError(
    `${file.source.name} has ${names.slice(0, NAMED_MAX).join(", ")}${more}, which a Llama of this config.json has not. It is another kind of model, or they do not belong together.`,
  );
}

function checkTensor({ file, tensor }: Found, { name, shape }: Pick<TensorPlace, "name" | "shape">): void {
  const where = `${file.source.name}: ${name}`;
  if (!(floatTypes as readonly string[]).includes(tensor.dtype))
    throw new FormatError(
      `${where} is of type ${tensor.dtype}; ${floatTypes.join(", ")} are read. Take the model's weights that are not quantized.`,
    );
  if (tensor.shape.join() !== shape.join())
    throw new FormatError(
      `${where} has the shape [${tensor.shape}], by config.json it would be [${shape}]. They do not belong together.`,
    );
}

async function readInto(flat: Float32Array, offset: number, found: Found): Promise<void> {
  const { name, bytes } = found.tensor;
  const width = bytesPerFloat(found.tensor.dtype as FloatType);
  for (let at = 0; at < bytes; at += READ_BYTES) {
    const values = await part(found, at);
    const from = offset + at / width;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value - value !== 0)
        throw new FormatError(
          `${found.file.source.name}: ${name} holds ${value} at place ${at / width + i}. Such a model computes nothing: its training diverged, or the file is damaged.`,
        );
      flat[from + i] = value + 0; // -0 + 0 is +0
    }
  }
}

async function part({ file, tensor }: Found, at: number): Promise<Float32Array> {
  const bytes = await file.source.read(tensor.at + at, Math.min(READ_BYTES, tensor.bytes - at));
  return floatsFrom(bytes, tensor.dtype as FloatType);
}

/** A head that is another than the embedding would be lost without a word. */
async function checkTied(head: Found, flat: Float32Array, embedding: TensorPlace): Promise<void> {
  checkTensor(head, { name: HEAD, shape: embedding.shape });
  const width = bytesPerFloat(head.tensor.dtype as FloatType);
  for (let at = 0; at < head.tensor.bytes; at += READ_BYTES) {
    const values = await part(head, at);
    const from = embedding.offset + at / width;
    if (values.some((value, i) => value !== flat[from + i]))
      throw new FormatError(
        `${head.file.source.name}: ${HEAD} is another matrix than the embedding, but config.json says tie_word_embeddings: true. Set it to false to keep both.`,
      );
  }
}
