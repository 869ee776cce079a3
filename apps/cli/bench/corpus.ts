// `gossamer bench corpus`: a corpus of any size, made up on this disk, prepared as a run's is; how fast, and that memory stays flat.
//
//   made-up documents -> files of 256 MB in a temporary folder -> makeData -> shards, which are counted and forgotten

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import { presets } from "#wire";
import { makeData } from "../../host/data-part.ts";
import { hubPlace } from "../../host/hub-place.ts";
import { english } from "../../web/words/format.ts";
import { SyntheticText } from "./synthetic-text.ts";

export interface BenchCorpusOptions {
  readonly gb: number;
  readonly vocabSize: number;
  /** Where the made-up corpus lies meanwhile. */
  readonly folder: string | undefined;
  readonly json: boolean;
}

export interface CorpusReport {
  readonly bytes: number;
  readonly documents: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Memory beyond what was there before the first byte was read: its most in the first tenth of the work, and in all of it. */
  readonly earlyBytes: number;
  readonly mostBytes: number;
  readonly passed: boolean;
}

const FILE_BYTES = 256e6;
/** As web pages have them: from a few lines to a long article. */
const DOCUMENT_BYTES = [400, 20_000] as const;
/** Between the first tenth and the end: what de-duplication remembers of two million documents is 32 MB, the rest is the collector's leisure. */
const GROWTH_MAX_BYTES = 200e6;

/** @returns documents */
async function writeCorpus(folder: string, bytes: number, say: (line: string) => void): Promise<number> {
  const source = new SyntheticText(7);
  await mkdir(folder);
  let [documents, written] = [0, 0];
  for (let file = 0; written < bytes; file++) {
    const stream = createWriteStream(join(folder, `${String(file).padStart(5, "0")}.jsonl`));
    for (let size = 0; size < FILE_BYTES && written < bytes; documents++) {
      const [least, most] = DOCUMENT_BYTES;
      const line = `${JSON.stringify({ text: source.document(least + ((documents * 7919) % (most - least))) })}\n`;
      size += line.length;
      written += line.length;
      if (!stream.write(line)) await once(stream, "drain");
    }
    stream.end();
    await once(stream, "close");
    if (file % 8 === 7) say(`writing the corpus: ${english.bytes(written)}`);
  }
  return documents;
}

/** Keeps nothing: a run's disk is its operator's, the bench's is not. Each shard is a moment at which memory is looked at. */
async function forgettingBlobs(data: string): Promise<{ blobs: DiskBlobStore; residentBytes: number[] }> {
  const blobs = await DiskBlobStore.open(data);
  const residentBytes: number[] = [];
  blobs.put = async () => void residentBytes.push(process.memoryUsage.rss());
  return { blobs, residentBytes };
}

/** Also when memory grew with the corpus: `passed` says so. */
export async function benchCorpus(
  { gb, vocabSize, folder: above = tmpdir(), json }: BenchCorpusOptions,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<CorpusReport> {
  const folder = await mkdtemp(join(above, "gossamer-corpus-"));
  try {
    const bytes = gb * 1e9;
    const documents = await writeCorpus(join(folder, "text"), bytes, say);
    const corpus = {
      ...{
        kind: "parts" as const,
        parts: [{ path: join(folder, "text") }],
        source: "made up",
        licence: "CC0-1.0",
        evaluationPart: 0.01,
      },
      ...{
        tokenizer: { kind: "train" as const, vocabSize },
        tokensPerShard: Math.min(2 ** 22, Math.ceil(bytes / 400)),
      },
    };
    const draft = { ...presets.nano, version: 5 as const, model: { ...presets.nano.model, vocabSize }, corpus };
    const data = await openDataFolder(join(folder, "data"));
    const { blobs, residentBytes } = await forgettingBlobs(data.path);
    const began = performance.now();
    const base = process.memoryUsage.rss();
    const made = await makeData({ draft, folder }, { data, blobs }, { hub: hubPlace({}), report: say });
    const seconds = (performance.now() - began) / 1000;
    await data.close();
    const tokens = [...made.train, ...made.evaluation].reduce((sum, shard) => sum + shard.tokens, 0);
    const grown = residentBytes.map((resident) => resident - base);
    const earlyBytes = Math.max(...grown.slice(0, Math.ceil(grown.length / 10)));
    const mostBytes = Math.max(...grown);
    const passed = mostBytes - earlyBytes < GROWTH_MAX_BYTES;
    const report = { bytes, documents, tokens, seconds, earlyBytes, mostBytes, passed };
    if (json) out(JSON.stringify(report));
    else for (const line of linesOf(report)) out(line);
    return report;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const linesOf = ({ bytes, documents, tokens, seconds, earlyBytes, mostBytes, passed }: CorpusReport): string[] => [
  `corpus    ${english.bytes(bytes)}, ${english.count(documents)} documents`,
  `prepared  ${english.count(tokens)} tokens in ${english.duration(1000 * seconds)}, ${english.bytes(bytes / seconds)} a second`,
  `memory    ${english.bytes(earlyBytes)} in the first tenth, ${english.bytes(mostBytes)} at most: ${passed ? "flat" : "it grew with the corpus"}`,
];
