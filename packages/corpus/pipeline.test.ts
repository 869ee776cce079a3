import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { CleanOptions } from "#wire";
import { cleaned } from "./clean.ts";
import { localFiles } from "./files.ts";
import type { GatheredPart } from "./gather.ts";
import { emptyTally, type KeptDocument, keptDocuments, type PipelineOptions } from "./pipeline.ts";
import { fingerprintOf, SeenDocuments } from "./seen.ts";

async function partOf(texts: readonly string[], weight?: number): Promise<GatheredPart> {
  const path = join(await mkdtemp(join(tmpdir(), "gossamer-corpus-")), "a.jsonl");
  await writeFile(path, texts.map((text) => JSON.stringify({ text })).join("\n"));
  return { part: weight === undefined ? { path } : { path, weight }, ...(await localFiles(path, "a.jsonl")) };
}

async function keptOf(parts: GatheredPart[], changed: Partial<PipelineOptions> = {}) {
  const tallies = parts.map(emptyTally);
  const kept: KeptDocument[] = [];
  const options = {
    clean: {},
    deduplicate: "exact",
    evaluationPart: 0.2,
    tallies,
    onRead: () => {},
    ...changed,
  } as const;
  for await (const document of keptDocuments(parts, options)) kept.push(document);
  return { kept, tallies, texts: kept.map(({ text }) => text) };
}

const sentences = (count: number, of = "sentence"): string[] =>
  Array.from({ length: count }, (_, i) => `The ${of} number ${i}.`);

describe("cleaning", () => {
  const clean = (text: string, options: CleanOptions = {}) => {
    const found = cleaned(text, options);
    return "text" in found ? found.text : `dropped: ${found.dropped}`;
  };

  test("line ends, control characters, composed letters, spaces at line ends", () => {
    expect(clean("a\r\nb\rc\u0000\u0007\t d\ufeff")).toBe("a\nb\nc\t d");
    expect(clean("e\u0301 \u212b")).toBe("é Å");
    expect(clean("e\u0301", { normalize: "none" })).toBe("e\u0301");
    expect(clean("\n  a  \n b\t\n\n\n\nc ")).toBe("a\n b\n\n\n\nc");
    expect(clean("  a \t b \n\n\n c ", { whitespace: "collapse" })).toBe("a b\n\nc");
    expect(clean(" a ", { whitespace: "keep" })).toBe(" a ");
  });

  test("what is dropped, and why", () => {
    expect(clean(" \n")).toBe("dropped: empty");
    expect(clean("ab", { minCharacters: 3 })).toBe("dropped: short");
    expect(clean("abcd", { maxCharacters: 3 })).toBe("dropped: long");
    expect(clean("<<<>>> {} a", { textShareMin: 0.5 })).toBe("dropped: little-text");
    expect(clean("Ein Satz, नमस्ते दुनिया.", { textShareMin: 0.8 })).toBe("Ein Satz, नमस्ते दुनिया.");
  });
});

test("documents whose words were there already are dropped, also between parts", async () => {
  const parts = [await partOf(["One  two three.", "four", "one two\nTHREE."]), await partOf(["four", "five"])];
  const { texts, tallies } = await keptOf(parts);
  expect(texts).toEqual(["One  two three.", "four", "five"]);
  expect(tallies.map(({ documents, kept, dropped }) => [documents, kept, dropped.exact])).toEqual([
    [3, 2, 1],
    [2, 1, 1],
  ]);
  expect((await keptOf(parts, { deduplicate: "none" })).texts).toHaveLength(5);
});

test("near duplicates: most of what shares four fifths is found, and next to nothing of what shares little", () => {
  const words = (seed: number, count: number) =>
    Array.from({ length: count }, (_, i) => `w${(seed * 7919 + i * 104_729) % 50_021}`);
  let [found, wrong] = [0, 0];
  for (let i = 0; i < 100; i++) {
    const seen = new SeenDocuments(true);
    const first = words(i + 1, 200);
    const was = (text: readonly string[]) => seen.was(text.join(" "), fingerprintOf(text.join(" ")));
    expect(was(first)).toBeUndefined();
    if (was([...first.slice(0, 190), ...words(i + 500, 10)]) === "near") found++; // shares 186 of 206 shingles
    if (was([...first.slice(0, 60), ...words(i + 900, 140)]) !== undefined) wrong++; // shares 56 of 336
  }
  expect(found).toBeGreaterThan(90);
  expect(wrong).toBeLessThan(3);
});

test("the split is a document's own: the same whatever stands beside it", async () => {
  const all = sentences(1000);
  const splitOf = async (texts: string[]) =>
    new Map((await keptOf([await partOf(texts)])).kept.map(({ text, split }) => [text, split]));
  const [whole, some] = [await splitOf(all), await splitOf(all.slice(300, 600))];
  const held = [...whole.values()].filter((split) => split === "evaluation").length;
  expect(Math.abs(held - 200)).toBeLessThan(64); // five standard deviations of 12.6
  for (const [text, split] of some) expect(whole.get(text)).toBe(split);
});

test("weights say how much of each part is read; the mixture ends with the first that ends", async () => {
  const parts = [await partOf(sentences(900, "aaaa"), 3), await partOf(sentences(900, "bbbb"), 1)];
  const { kept } = await keptOf(parts);
  const bytesOf = (part: number) =>
    kept.filter((document) => document.part === part).reduce((sum, { bytes }) => sum + bytes, 0);
  expect(bytesOf(0) / bytesOf(1)).toBeCloseTo(3, 1);
  expect(kept.filter(({ part }) => part === 0)).toHaveLength(900);
  expect(kept.slice(0, 40).some(({ part }) => part === 1)).toBe(true); // from the beginning
});

test.each(["a.jsonl", "a.txt", "a.jsonl.gz"])("%s is never read far ahead of what was taken of it", async (name) => {
  const path = join(await mkdtemp(join(tmpdir(), "gossamer-corpus-")), name);
  const line = (i: number) =>
    name === "a.txt"
      ? `${sentences(20, `${i}`).join(" ")}\n\n`
      : `${JSON.stringify({ text: sentences(20, `${i}`).join(" ") })}\n`;
  const content = Array.from({ length: 20_000 }, (_, i) => line(i)).join(""); // 8 MB
  await writeFile(path, name.endsWith(".gz") ? gzipSync(content, { level: 1 }) : content);
  const part = { part: { path }, ...(await localFiles(path, name)) };
  const tallies = [emptyTally()];
  let [read, taken, most] = [0, 0, 0];
  const onRead = (bytes: number) => (read += bytes);
  const stream = keptDocuments([part], { clean: {}, deduplicate: "exact", evaluationPart: 0.1, tallies, onRead });
  for await (const { bytes } of stream) {
    taken += bytes;
    most = Math.max(most, (name.endsWith(".gz") ? 0 : read) - taken * 1.1); // quotes and braces are read and not taken
  }
  expect(tallies[0].kept).toBeGreaterThan(name === "a.txt" ? 6 : 19_999);
  expect(content.length).toBeGreaterThan(7.5e6);
  expect(most).toBeLessThan(2.5e6); // a piece of a megabyte, and two chunks of the file
});

test("what cannot be read stops it, or is dropped and counted where the operator says so", async () => {
  const part = await partOf(["good"]);
  await writeFile(part.files[0].path, '{"text":"good"}\nnot json\n{"text":"fine"}\n');
  await expect(keptOf([part])).rejects.toThrow("a.jsonl: line 2 is no JSON");
  const { texts, tallies } = await keptOf([part], { clean: { invalid: "drop" } });
  expect(texts).toEqual(["good", "fine"]);
  expect(tallies[0]).toMatchObject({ documents: 3, kept: 2, dropped: { invalid: 1 } });
});
