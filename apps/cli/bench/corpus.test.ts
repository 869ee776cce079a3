import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { benchCorpus } from "./corpus.ts";
import { benchTokenizer } from "./tokenizer.ts";

test("proof:corpus in small: documents become tokens, memory is looked at, and nothing is left on the disk", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gossamer-bench-"));
  const lines: string[] = [];
  const report = await benchCorpus(
    { gb: 0.008, vocabSize: 600, folder, json: false },
    (line) => lines.push(line),
    () => {},
  );
  expect(report.documents).toBeGreaterThan(500);
  expect(report.tokens).toBeGreaterThan(report.bytes / 8);
  expect(report.mostBytes).toBeGreaterThanOrEqual(report.earlyBytes);
  expect(lines.join("\n")).toMatch(/^corpus {4}8[\d.]* MB, .*\nprepared .* tokens in .*\nmemory .*(flat|grew)/);
  expect(await readdir(folder)).toEqual([]);
});

test("bench tokenizer trains what it was asked for", async () => {
  const report = await benchTokenizer({ megabytes: 0.5, vocabSize: 700, json: true }, () => {});
  expect(report).toMatchObject({ vocabSize: 700 });
  expect(report.bytesPerToken).toBeGreaterThan(1.5);
});
