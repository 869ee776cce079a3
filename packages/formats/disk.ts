// A folder in Hugging Face's layout on this machine's disk: config.json beside model.safetensors, or beside files that an index names.
//
//   FOLDER/config.json, model.safetensors | model.safetensors.index.json + model-00001-of-00002.safetensors …   ->   model, flat parameters
import { type FileHandle, open, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { ModelShape } from "#wire";
import { readLlamaParameters } from "./llama.ts";
import { modelFromConfig } from "./llama-config.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors.ts";
import { type ByteSource, FormatError } from "./source.ts";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** A model of 65,536 x 8,192 in files of the usual size has some dozens; an index that names more is no model of ours. */
const FILES_MAX = 1000;
/** An index has a line for each tensor: some hundred bytes, of some thousand tensors. */
const JSON_BYTES_MAX = 16 * 1024 * 1024;

export interface LlamaFolder {
  readonly model: ModelShape;
  /** Flat, in the order of outer's parameterTable; finite. */
  readonly parameters: Float32Array<ArrayBuffer>;
  /** config.json as it is, for what else it says (bos_token_id, …). */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface ReadLlamaOptions {
  /** Of the run; undefined: the model's own, at most 32,768. */
  readonly contextLength?: number;
  /** Floats read so far, of all. */
  readonly onProgress?: (read: number, all: number) => void;
}

/** @throws FormatError, and of the disk what is no fault of the files */
export async function readLlama(folder: string, options: ReadLlamaOptions = {}): Promise<LlamaFolder> {
  const path = join(folder, "config.json");
  const config = await readJson(path);
  if (config === undefined)
    throw new FormatError(`There is no ${path}. A model's folder has config.json beside its .safetensors files.`);
  const { contextLength, onProgress } = options;
  const model = modelFromConfig(config, { name: path, ...(contextLength === undefined ? {} : { contextLength }) });
  return withFiles(await filesOf(folder), async (files) => ({
    model,
    parameters: await readLlamaParameters(files, model, onProgress),
    config: config as Record<string, unknown>,
  }));
}

/** Names of the files that hold the weights. */
async function filesOf(folder: string): Promise<{ paths: string[]; weightMap?: Record<string, string> }> {
  const path = join(folder, INDEX);
  const index = await readJson(path);
  if (index === undefined) return { paths: [join(folder, SINGLE)] };
  const { weight_map: weightMap } = index as { weight_map?: unknown };
  if (typeof weightMap !== "object" || weightMap === null)
    throw new FormatError(`${path} has no weight_map. Fetch it again.`);
  const names = [...new Set(Object.values(weightMap))];
  for (const name of names)
    if (typeof name !== "string" || name !== basename(name) || !name.endsWith(".safetensors"))
      throw new FormatError(`${path} names the file ${JSON.stringify(name)}; weights lie beside it, as .safetensors.`);
  if (names.length > FILES_MAX)
    throw new FormatError(`${path} names ${names.length} files; ${FILES_MAX} are the limit.`);
  return { paths: names.map((name) => join(folder, name as string)), weightMap: weightMap as Record<string, string> };
}

async function withFiles<T>(
  { paths, weightMap }: Awaited<ReturnType<typeof filesOf>>,
  use: (files: SafetensorsFile[]) => Promise<T>,
): Promise<T> {
  const handles: FileHandle[] = [];
  try {
    const files: SafetensorsFile[] = [];
    for (const path of paths) {
      const handle = await openGiven(path, weightMap !== undefined);
      handles.push(handle);
      files.push(await openSafetensors(await sourceFrom(handle, path)));
    }
    for (const [tensor, name] of Object.entries(weightMap ?? {})) {
      const file = files.find(({ source }) => basename(source.name) === name);
      if (file?.tensors.has(tensor) !== true)
        throw new FormatError(`${INDEX} says that ${tensor} is in ${name}, where it is not. Fetch both again.`);
    }
    return await use(files);
  } finally {
    await Promise.all(handles.map((handle) => handle.close()));
  }
}

async function openGiven(path: string, named: boolean): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new FormatError(
      named
        ? `There is no ${path}, which ${INDEX} names. Fetch it too.`
        : `There is no ${path}, nor a ${INDEX}. Weights are read from safetensors; older .bin files can be converted with transformers: save_pretrained.`,
    );
  }
}

async function sourceFrom(handle: FileHandle, name: string): Promise<ByteSource> {
  const { size } = await handle.stat();
  return {
    name,
    bytes: size,
    async read(from, length) {
      const bytes = new Uint8Array(length);
      const { bytesRead } = await handle.read(bytes, 0, length, from);
      if (bytesRead < length)
        throw new FormatError(`${name} became shorter while it was read. Let nobody write to it, and try again.`);
      return bytes;
    },
  };
}

/** undefined: there is no such file. */
async function readJson(path: string): Promise<unknown> {
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  if (content.length > JSON_BYTES_MAX)
    throw new FormatError(`${path} has ${content.length} bytes; ${JSON_BYTES_MAX} are the limit of such a file.`);
  try {
    return JSON.parse(content.toString());
  } catch (error) {
    throw new FormatError(`${path} is not JSON: ${(error as Error).message}. Fetch it again.`);
  }
}
