// `gossamer bench tokenizer`: how long a tokenizer takes to be trained, and how fast text becomes ids. On this thread, as a host does it.
import { readTokenizer } from "#tokenizer";
import { trainByteLevelBpe, WordCounter } from "#tokenizer/train";
import { english } from "../../web/words/format.ts";
import { SyntheticText } from "./synthetic-text.ts";

export interface BenchTokenizerOptions {
  readonly megabytes: number;
  readonly vocabSize: number;
  readonly json: boolean;
}

export interface TokenizerReport {
  readonly bytes: number;
  readonly wordTypes: number;
  readonly vocabSize: number;
  readonly countSeconds: number;
  readonly mergeSeconds: number;
  readonly trainSeconds: number;
  readonly encodeBytesPerSecond: number;
  readonly bytesPerToken: number;
}

/** What is encoded to measure it, and of less to train on no more than that. */
const ENCODE_MEGABYTES_MAX = 20;
const DOCUMENT_BYTES = 8000;

export async function benchTokenizer(
  { megabytes, vocabSize, json }: BenchTokenizerOptions,
  out: (line: string) => void,
): Promise<TokenizerReport> {
  const source = new SyntheticText(7);
  const counter = new WordCounter();
  let [bytes, countMs] = [0, 0];
  while (bytes < megabytes * 1e6) {
    const text = source.document(DOCUMENT_BYTES);
    bytes += text.length;
    const began = performance.now();
    counter.add(text);
    countMs += performance.now() - began;
  }
  const began = performance.now();
  const trained = trainByteLevelBpe(counter.counts(), vocabSize);
  const mergeMs = performance.now() - began;
  const tokenizer = await readTokenizer(new TextEncoder().encode(trained.json), "the trained tokenizer");
  const texts = Array.from(
    { length: Math.ceil((Math.min(megabytes, ENCODE_MEGABYTES_MAX) * 1e6) / DOCUMENT_BYTES) },
    () => source.document(DOCUMENT_BYTES),
  );
  const encodeBegan = performance.now();
  let [tokens, encoded] = [0, 0];
  for (const text of texts) {
    tokens += tokenizer.encode(text).length;
    encoded += text.length;
  }
  const encodeSeconds = (performance.now() - encodeBegan) / 1000;
  const report = {
    bytes,
    wordTypes: counter.counts().size,
    vocabSize: trained.vocabSize,
    countSeconds: countMs / 1000,
    mergeSeconds: mergeMs / 1000,
    trainSeconds: (countMs + mergeMs) / 1000,
    encodeBytesPerSecond: encoded / encodeSeconds,
    bytesPerToken: encoded / tokens,
  };
  if (json) out(JSON.stringify(report));
  else {
    out(`text      ${english.bytes(bytes)}, ${english.count(report.wordTypes)} word types`);
    out(
      `trained   ${english.count(report.vocabSize)} tokens in ${report.trainSeconds.toFixed(1)} s (words ${report.countSeconds.toFixed(1)}, merges ${report.mergeSeconds.toFixed(1)})`,
    );
    out(
      `encodes   ${english.bytes(report.encodeBytesPerSecond)} a second, ${report.bytesPerToken.toFixed(2)} bytes a token`,
    );
  }
  return report;
}
