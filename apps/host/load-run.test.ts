import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeShard } from "#data";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import { openTokenizer } from "#tokenizer";
import type { RunDraft } from "#wire";
import { loadDraft, makeSpec } from "./load-run.ts";
import { freshFolder, tinyDraft, writeRun } from "./test-given.ts";

const corpus = tinyDraft().corpus;

/** What the operator is told about this draft, or "accepted". */
async function told(draft: RunDraft, given: (folder: string) => Promise<void> = async () => {}): Promise<string> {
  const folder = await freshFolder();
  const run = await writeRun(folder, draft);
  await given(folder);
  const data = await openDataFolder(join(folder, "data"));
  try {
    await makeSpec(await loadDraft(run, folder), "0".repeat(64), data, await DiskBlobStore.open(data.path));
    return "accepted";
  } catch (error) {
    expect((error as Error).name).toBe("SpecError"); // anything else would be shown with a stack
    return (error as Error).message.replaceAll(folder, "FOLDER");
  } finally {
    await data.close();
  }
}

const text = (content: string) => (folder: string) => writeFile(join(folder, "text.txt"), content);

test.each<[string, RunDraft, ((folder: string) => Promise<void>) | undefined, RegExp]>([
  ["a good spec", tinyDraft(), undefined, /^accepted$/],
  [
    "no such text",
    tinyDraft({ corpus: { ...corpus, path: "./no.txt" } }),
    undefined,
    /^corpus\.path: there is no file FOLDER\/no\.txt/,
  ],
  ["a folder for a text", tinyDraft({ corpus: { ...corpus, path: "." } }), undefined, /^FOLDER cannot be read: EISDIR/],
  ["a name that no file can have", tinyDraft({ corpus: { ...corpus, path: "a\0b" } }), undefined, /cannot be read/],
  ["an empty text", tinyDraft(), text(""), /^corpus: 0 bytes cannot be split/],
  [
    "a text below one window",
    tinyDraft(),
    text("twenty bytes of text"),
    /^corpus: the evaluation part has 4 tokens, but needs 9/,
  ],
  [
    "a model that no host holds",
    tinyDraft({ model: { ...tinyDraft().model, dModel: 4096, layers: 48, dFfn: 16_384 } }),
    undefined,
    /model: has \d+ million parameters; a host holds 537 million at most/,
  ],
  [
    "a vocabulary smaller than the tokenizer's",
    tinyDraft({ model: { ...tinyDraft().model, vocabSize: 100 } }),
    undefined,
    /^model\.vocabSize: the bytes tokenizer has 256 ids, got 100/,
  ],
  [
    "a tokenizer that is not there",
    tinyDraft({ version: 5, corpus: { ...corpus, tokenizer: { kind: "file", path: "./no.json" } } }),
    undefined,
    /^corpus\.tokenizer\.path: there is no file FOLDER\/no\.json/,
  ],
  [
    "a text for a tokenizer",
    tinyDraft({ version: 5, corpus: { ...corpus, tokenizer: { kind: "file", path: "./text.txt" } } }),
    undefined,
    /^corpus\.tokenizer: FOLDER\/text\.txt is no tokenizer: .*tokenizer\.json that the Hugging Face library saves/,
  ],
  [
    "a model with too few ids for its tokenizer",
    tinyDraft({ version: 5, corpus: { ...corpus, tokenizer: { kind: "train", vocabSize: 270 } } }),
    undefined,
    /^model\.vocabSize: the tokenizer has 270 ids, got 256; for example 270/,
  ],
  [
    "a text that is no UTF-8, for a tokenizer",
    tinyDraft({ version: 5, corpus: { ...corpus, tokenizer: { kind: "train", vocabSize: 270 } } }),
    (folder) => writeFile(join(folder, "text.txt"), Buffer.from("caf\xe9 ".repeat(100), "latin1")),
    /^corpus: the text is no UTF-8, .*iconv/,
  ],
])("%s: the operator is told what to change", async (_, draft, given, message) => {
  expect(await told(draft, given)).toMatch(message);
});

test("a tokenizer is trained once, and named with its end of a text and the bytes that are held out", async () => {
  const folder = await freshFolder();
  const trained = { ...corpus, tokenizer: { kind: "train", vocabSize: 280 } } as const;
  const draft = tinyDraft({ version: 5, corpus: trained, model: { ...tinyDraft().model, vocabSize: 280 } });
  const loaded = await loadDraft(await writeRun(folder, draft), folder);
  const data = await openDataFolder(join(folder, "data"));
  const blobs = await DiskBlobStore.open(data.path);
  const spec = await makeSpec(loaded, "0".repeat(64), data, blobs);
  const { tokenizer, evaluationBytes, evaluation } = spec.data;
  if (tokenizer === "bytes") throw new Error("it is none");
  const read = await openTokenizer(tokenizer, async ({ hash }) => (await blobs.get(hash))!);
  const ids = decodeShard((await blobs.get(evaluation[0].hash))!).ids;
  expect(read.decode(ids)).toHaveLength(evaluationBytes!);
  expect(ids.length).toBeLessThan(evaluationBytes! / 2); // a sentence that is repeated
  expect(tokenizer.endOfText).toBe(tokenizer.vocabSize - 1);
  expect(await makeSpec(loaded, "0".repeat(64), data, blobs)).toEqual(spec);
  await data.close();
});

test("a run that is neither a preset nor a readable file names both, and where it looked", async () => {
  const folder = await freshFolder();
  await expect(loadDraft("naon", folder)).rejects.toThrow(
    `neither a preset (nano, micro) nor a file. Looked for ${folder}/naon`,
  );
  await expect(loadDraft("nano+dilco", folder)).rejects.toThrow('There is no method "dilco"; there are ddp, ');
  await expect(loadDraft("naon+diloco", folder)).rejects.toThrow("--run naon: neither a preset");
  await expect(loadDraft(".", folder)).rejects.toThrow("cannot be read: EISDIR");
  await writeFile(join(folder, "run.json"), "{ a: 1");
  await expect(loadDraft("run.json", folder)).rejects.toThrow("run.json is not JSON: ");
});

test("a data directory that cannot be one is refused by name", async () => {
  const folder = await freshFolder();
  const file = join(folder, "file");
  await writeFile(file, "");
  await expect(openDataFolder(file)).rejects.toThrow(`${file} cannot be a data directory: ENOTDIR`);
});

test("a method behind the run's name composes it", async () => {
  const folder = await freshFolder();
  const { draft } = await loadDraft("nano+sparseloco", folder);
  expect(draft.outer).toMatchObject({ momentum: 0, codec: { name: "chunk-top-k" } });
  expect((await loadDraft("nano", folder)).draft.outer.codec).toBe("int8-block");
});
