// The data part of a spec of kind "parts", streamed: whatever the corpus' size, in memory are a document, two shards and what de-duplication remembers.
//
//   parts -> files -> documents -> [words of a sample -> tokenizer] -> ids -> shards, one by one -> blobs -> manifest
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import {
  CorpusError,
  emptyTally,
  type GatheredPart,
  gather,
  type HubPlace,
  keptDocuments,
  type PartTally,
  type SourceFile,
} from "#corpus";
import type { HostBlobs } from "#store/disk";
import { bytesTokenizer, type Tokenizer } from "#tokenizer";
import { WordCounter } from "#tokenizer/train";
import { blobName, canonicalBytes, type DataRef } from "#wire";
import { english } from "../web/words/format.ts";
import { type LoadedDraft, SpecError } from "./given.ts";
import { PrepareProgress } from "./prepare-progress.ts";
import { ShardWriter } from "./shard-writer.ts";

export interface PrepareOptions {
  readonly hub: HubPlace;
  /** Progress, a line at a time. */
  readonly report: (line: string) => void;
}

export interface PartsPorts extends PrepareOptions {
  /** Where fetched files lie until all is made. */
  readonly cache: string;
  readonly blobs: HostBlobs;
  /** The tokenizer that the draft names, stored; given words where it is trained. @throws SpecError */
  readonly tokenizer: (
    counter: WordCounter,
  ) => Promise<{ readonly tokenizer: Tokenizer; readonly ref: DataRef["tokenizer"] }>;
}

export type Made = Omit<DataRef, "source" | "licence">;

/** Of the training text: 100 MB are learned from in less than a minute, and more hardly change the words. */
const TRAIN_ON_BYTES = 100e6;
/** Between documents of a tokenizer without a token for that, and between pieces of one: an empty line. */
const SEPARATOR = "\n\n";
/** Names in a manifest; of more only their number and hash. */
const FILES_NAMED_MAX = 10_000;

/** @throws SpecError, and nothing is left but shards that no spec names, which the next start takes away */
export async function fromParts(loaded: LoadedDraft, ports: PartsPorts): Promise<Made> {
  try {
    return await prepare(loaded, ports);
  } catch (error) {
    throw error instanceof CorpusError ? new SpecError(`corpus: ${error.message}`) : error;
  }
}

async function prepare(loaded: LoadedDraft, ports: PartsPorts): Promise<Made> {
  const { corpus } = loaded.draft;
  const { blobs, cache, report } = ports;
  const progress = new PrepareProgress(report);
  const parts = await gather(corpus.parts ?? [], {
    ...{ folder: loaded.folder, cache, hub: ports.hub },
    onFetched: (name, bytes, total) => progress.fetched(name, bytes, total),
  });
  const { tokenizer, ref } = await ports.tokenizer(await countedWords(loaded, parts, progress));
  const tallies = parts.map(emptyTally);
  const tokens = parts.map(() => 0);
  const writerOf = (split: "train" | "evaluation") =>
    new ShardWriter(blobs, split, tokenizer.vocabSize, corpus.tokensPerShard);
  const writers = { train: writerOf("train"), evaluation: writerOf("evaluation") };
  let evaluationBytes = 0;
  const end = tokenizer.endOfText === undefined ? undefined : Uint16Array.of(tokenizer.endOfText);
  progress.begin("preparing", totalBytes(parts));
  for await (const document of keptDocuments(parts, pipelineOf(loaded, tallies, progress))) {
    const { part, split, text, bytes, ends } = document;
    const closed = ends && end !== undefined;
    const ids = tokenizer.encode(closed ? text : text + SEPARATOR);
    await writers[split].write(ids);
    if (closed) await writers[split].write(end);
    tokens[part] += ids.length + (closed ? 1 : 0);
    if (split === "evaluation") evaluationBytes += bytes + (closed ? 0 : SEPARATOR.length);
    progress.wrote(ids.length);
  }
  const [train, evaluation] = [await writers.train.end(), await writers.evaluation.end()];
  checkSplits({ train, evaluation }, tallies, corpus.evaluationPart);
  const manifest = canonicalBytes(await manifestOf(loaded, parts, tallies, tokens, progress));
  const hash = blobName(manifest);
  await blobs.put(hash, manifest);
  await rm(cache, { recursive: true, force: true });
  const count = tokens.reduce((total, each) => total + each, 0);
  progress.end(
    `${english.count(sum(tallies, "kept"))} documents are ${english.count(count)} tokens in ${train.length + evaluation.length} shards; ${droppedWords(tallies)}`,
  );
  return {
    tokenizer: ref,
    parts: parts.map(({ part }, i) => ({
      source: part.source ?? corpus.source,
      licence: part.licence ?? corpus.licence,
      documents: tallies[i].kept,
      bytes: tallies[i].bytes,
      tokens: tokens[i],
    })),
    manifest: { hash, bytes: manifest.length },
    evaluationBytes,
    ...{ train, evaluation },
  };
}

/** The bytes tokenizer as the others are given. */
export const bytesGiven = { tokenizer: bytesTokenizer, ref: "bytes" } as const;

const sum = (tallies: readonly PartTally[], field: "documents" | "kept"): number =>
  tallies.reduce((total, tally) => total + tally[field], 0);
const totalBytes = (parts: readonly GatheredPart[]): number =>
  parts.flatMap(({ files }) => files).reduce((total, { bytes }) => total + bytes, 0);

const pipelineOf = ({ draft: { corpus } }: LoadedDraft, tallies: PartTally[], progress: PrepareProgress) => ({
  clean: corpus.clean ?? {},
  deduplicate: corpus.deduplicate ?? ("exact" as const),
  evaluationPart: corpus.evaluationPart,
  tallies,
  onRead: (bytes: number) => progress.read(bytes),
});

/** None unless a tokenizer is trained of them. */
async function countedWords(
  loaded: LoadedDraft,
  parts: readonly GatheredPart[],
  progress: PrepareProgress,
): Promise<WordCounter> {
  const counter = new WordCounter();
  const { tokenizer = "bytes" } = loaded.draft.corpus;
  if (tokenizer === "bytes" || tokenizer.kind !== "train") return counter;
  progress.begin("reading words for the tokenizer", Math.min(totalBytes(parts), TRAIN_ON_BYTES));
  let bytes = 0;
  for await (const { split, text, ...document } of keptDocuments(
    parts,
    pipelineOf(loaded, parts.map(emptyTally), progress),
  )) {
    if (split !== "train") continue;
    counter.add(text);
    bytes += document.bytes;
    if (bytes >= TRAIN_ON_BYTES) break;
  }
  progress.end(`words of ${english.bytes(bytes)} are counted`);
  return counter;
}

function checkSplits(
  shards: Pick<Made, "train" | "evaluation">,
  tallies: readonly PartTally[],
  evaluationPart: number,
): void {
  const [documents, kept] = [sum(tallies, "documents"), sum(tallies, "kept")];
  if (kept === 0)
    throw new SpecError(
      `corpus: nothing is left of ${documents} documents (${droppedWords(tallies)}). Give more text, or drop less: corpus.clean, corpus.deduplicate.`,
    );
  for (const split of ["train", "evaluation"] as const)
    if (shards[split].length === 0)
      throw new SpecError(
        `corpus: none of ${kept} documents is in the ${split} part with evaluationPart ${evaluationPart}. Give more documents, or make it larger.`,
      );
}

function droppedWords(tallies: readonly Pick<PartTally, "dropped">[]): string {
  const counts = new Map<string, number>();
  for (const { dropped } of tallies)
    for (const [reason, count] of Object.entries(dropped)) counts.set(reason, (counts.get(reason) ?? 0) + count);
  const words = [...counts].filter(([, count]) => count > 0).map(([reason, count]) => `${count} ${reason}`);
  return words.length === 0 ? "none dropped" : `dropped: ${words.join(", ")}`;
}

/** What was read, so that anybody can check what a model was made of. */
async function manifestOf(
  { draft: { corpus } }: LoadedDraft,
  parts: readonly GatheredPart[],
  tallies: readonly PartTally[],
  tokens: readonly number[],
  progress: PrepareProgress,
): Promise<unknown> {
  const { clean = {}, deduplicate = "exact", evaluationPart } = corpus;
  const described: unknown[] = [];
  progress.begin("hashing what was read", totalBytes(parts));
  for (const [i, { part, files, skipped, commit }] of parts.entries()) {
    const hashed: { name: string; bytes: number; sha256: string }[] = [];
    for (const file of files) hashed.push({ name: file.name, bytes: file.bytes, sha256: await hashOf(file, progress) });
    const { url, ...rest } = part;
    described.push({
      ...rest,
      ...(url === undefined ? {} : { url: url.replace(/[?#].*$/, "") }),
      ...(commit === undefined ? {} : { commit }),
      source: part.source ?? corpus.source,
      licence: part.licence ?? corpus.licence,
      fileCount: files.length,
      filesHash: createHash("sha256").update(canonicalBytes(hashed)).digest("hex"),
      files: hashed.slice(0, FILES_NAMED_MAX),
      skipped: skipped.slice(0, FILES_NAMED_MAX),
      ...tallies[i],
      tokens: tokens[i],
    });
  }
  const { tokenizer = "bytes" } = corpus;
  const made = { tokenizer: tokenizer === "bytes" ? tokenizer : { ...tokenizer }, evaluationPart, clean, deduplicate };
  return { format: "gossamer data manifest", version: 1, ...made, parts: described };
}

async function hashOf(file: SourceFile, progress: PrepareProgress): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file.path, { highWaterMark: 2 ** 20 })) {
    hash.update(chunk as Uint8Array);
    progress.read((chunk as Uint8Array).length);
  }
  return hash.digest("hex");
}
