import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import { openTokenizer } from "#tokenizer";
import { type Corpus, type DataRef, presets, type RunDraft, specBlobs } from "#wire";
import { decodedShard, makeData, preparedData } from "../../host/data-part.ts";
import { loadDraft, makeSpec } from "../../host/load-run.ts";
import { freshFolder, tinyDraft } from "../../host/test-given.ts";
import { inspectData, prepareData } from "./command.ts";

const say = () => {};

/** Two licences: a folder with a book, and lines of which three are no text to learn from. */
async function givenCorpus(changed: Partial<Corpus> = {}): Promise<{ folder: string; draft: RunDraft }> {
  const folder = await freshFolder();
  await mkdir(join(folder, "books"));
  for (let book = 0; book < 40; book++)
    await writeFile(join(folder, "books", `${book}.txt`), `Book ${book}. It was a dark and stormy night.\n\nThe end.`);
  const lines = [
    ...Array.from({ length: 60 }, (_, i) => `Line number ${i} says größer.`),
    " ",
    "Line number 1 says größer.",
  ];
  await writeFile(join(folder, "lines.jsonl"), lines.map((text) => JSON.stringify({ text })).join("\n"));
  const parts = [
    { path: "./books", source: "books of a test", licence: "CC0-1.0" },
    { path: "./lines.jsonl", source: "lines of a test", licence: "CC-BY-4.0" },
  ];
  const corpus: Corpus = { kind: "parts", parts, source: "a test", licence: "mixed", evaluationPart: 0.2, ...changed };
  return { folder, draft: { ...tinyDraft(), version: 5, model: { ...tinyDraft().model, vocabSize: 400 }, corpus } };
}

async function prepared({
  folder,
  draft,
}: {
  folder: string;
  draft: RunDraft;
}): Promise<{ made: DataRef; blobs: DiskBlobStore; lines: string[] }> {
  await writeFile(join(folder, "run.json"), JSON.stringify(draft));
  const lines: string[] = [];
  const made = await prepareData("run.json", folder, { data: join(folder, "data"), json: false }, say, (line) =>
    lines.push(line),
  );
  return { made, blobs: await DiskBlobStore.open(join(folder, "data")), lines };
}

async function textOf(
  { made, blobs }: { made: DataRef; blobs: DiskBlobStore },
  split: "train" | "evaluation",
): Promise<string> {
  const tokenizer = await openTokenizer(made.tokenizer, async ({ hash }) => (await blobs.get(hash))!);
  const shards = await Promise.all(made[split].map((ref) => decodedShard(blobs, ref)));
  return shards.map((ids) => tokenizer.decode(ids)).join("");
}

test("documents become shards, with their sources and licences, and a manifest of what was read", async () => {
  const given = await givenCorpus();
  const found = await prepared(given);
  const { made, blobs } = found;
  expect(made.parts!.map(({ source, licence, documents }) => [source, licence, documents])).toEqual([
    ["books of a test", "CC0-1.0", 40],
    ["lines of a test", "CC-BY-4.0", 60],
  ]);
  const [train, evaluation] = [await textOf(found, "train"), await textOf(found, "evaluation")];
  expect(`${train}${evaluation}`.match(/Book \d+\. It/g)).toHaveLength(40);
  expect(train).toMatch(/The end\.\n\nBook/); // an empty line ends a document of bytes
  expect(Buffer.byteLength(evaluation)).toBe(made.evaluationBytes);
  expect(made.evaluation.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(made.evaluationBytes);
  const manifest = JSON.parse(Buffer.from((await blobs.get(made.manifest!.hash))!).toString());
  expect(manifest).toMatchObject({
    format: "gossamer data manifest",
    version: 1,
    deduplicate: "exact",
    tokenizer: "bytes",
  });
  expect(manifest.parts[1]).toMatchObject({
    ...{ path: "./lines.jsonl", licence: "CC-BY-4.0", fileCount: 1, documents: 62, kept: 60 },
    dropped: { empty: 1, exact: 1, invalid: 0 },
    files: [{ name: "./lines.jsonl", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
  });
  const looked: string[] = [];
  await inspectData("run.json", given.folder, { data: join(given.folder, "data"), json: false }, (line) =>
    looked.push(line),
  );
  expect(looked.join("\n")).toMatch(/part {8}lines of a test \(CC-BY-4\.0\): 60 documents.*\n(.*\n)*train begins:\n/);
});

test("a trained tokenizer ends documents with its own token, and the same corpus makes the same names anywhere", async () => {
  const tokenizer = { kind: "train", vocabSize: 400 } as const;
  const [one, two] = [
    await prepared(await givenCorpus({ tokenizer })),
    await prepared(await givenCorpus({ tokenizer })),
  ];
  expect(specBlobs({ data: one.made })).toEqual(specBlobs({ data: two.made }));
  const { made, blobs } = one;
  if (made.tokenizer === "bytes") throw new Error("it is none");
  const ids = await decodedShard(blobs, made.train[0]);
  const ends = ids.filter((id) => id === (made.tokenizer as { endOfText: number }).endOfText).length;
  const heldOut = await decodedShard(blobs, made.evaluation[0]);
  const heldEnds = heldOut.filter((id) => id === (made.tokenizer as { endOfText: number }).endOfText).length;
  expect(ends + heldEnds).toBe(100);
  expect(Buffer.byteLength(await textOf(one, "evaluation"))).toBe(made.evaluationBytes);
});

test("what was made is found again; a changed file is read again; a host takes what was prepared", async () => {
  const given = await givenCorpus();
  const first = await prepared(given);
  const again = await prepared(given);
  expect(again.made).toEqual(first.made);
  expect([first.lines.length > 0, again.lines]).toEqual([true, []]); // nothing was read
  const data = await openDataFolder(join(given.folder, "data"));
  const spec = await makeSpec(await loadDraft("run.json", given.folder), "0".repeat(64), data, first.blobs);
  await data.close();
  expect(spec.data).toEqual(first.made);
  await writeFile(join(given.folder, "books", "0.txt"), "Another book.");
  expect((await prepared(given)).made.train).not.toEqual(first.made.train);
});

test("two shards of few tokens hold what one holds; more than a spec names are refused", async () => {
  const given = await givenCorpus();
  const whole = await prepared(given);
  const cut = await prepared({
    ...given,
    draft: { ...given.draft, corpus: { ...given.draft.corpus, tokensPerShard: 4096 } },
  });
  expect(await textOf(cut, "train")).toBe(await textOf(whole, "train"));
});

/** What the operator is told, and what then lies in the data directory beside an empty list of blobs. */
async function told(given: { folder: string; draft: RunDraft }): Promise<[string, string[]]> {
  const message = await prepared(given).then(
    () => "accepted",
    (error: Error) => `${error.name}: ${error.message}`,
  );
  const files = await readdir(join(given.folder, "data"));
  return [message, files.filter((name) => /sources|shards|tmp/.test(name))];
}

test.each<[string, Partial<Corpus>, (folder: string) => Promise<void>, RegExp]>([
  [
    "a file that is no UTF-8",
    {},
    (folder) => writeFile(join(folder, "books", "7.txt"), Buffer.from("caf\xe9!", "latin1")),
    /^SpecError: corpus: \.\/books\/7\.txt: byte 3 is no UTF-8\. Convert the file/,
  ],
  ["an empty file", {}, (folder) => writeFile(join(folder, "books", "7.txt"), ""), /7\.txt: the file is empty/],
  ["a bad line", {}, (folder) => writeFile(join(folder, "lines.jsonl"), "{]"), /lines\.jsonl: line 1 is no JSON/],
  [
    "a folder that is not there",
    { parts: [{ path: "./no" }] },
    async () => {},
    /corpus: \.\/no: there is no file or folder/,
  ],
  [
    "a cleaning that leaves nothing",
    { clean: { minCharacters: 900 } },
    async () => {},
    /nothing is left of 102 documents \(dropped: 1 empty, 101 short\)/,
  ],
  [
    "one document",
    { parts: [{ path: "./books/3.txt" }], evaluationPart: 0.01 },
    async () => {},
    /none of 1 documents is in the evaluation part/,
  ],
  [
    "a tokenizer larger than the model's vocabulary",
    { tokenizer: { kind: "file", path: "./t.json" } },
    giveTokenizer,
    /model\.vocabSize: the tokenizer has 1200 ids, got 400/,
  ],
])("%s: named with its remedy, and nothing half-made counts", async (_, changed, spoil, message) => {
  const given = await givenCorpus(changed);
  await spoil(given.folder);
  const [said, left] = await told(given);
  expect(said).toMatch(message);
  expect(left).toEqual([]);
});

async function giveTokenizer(folder: string): Promise<void> {
  await copyFile("packages/tokenizer/fixtures/gpt2.json", join(folder, "t.json"));
}

test("interrupted between two shards, it begins again, and comes to what it would have made at once", async () => {
  const given = await givenCorpus({ tokenizer: { kind: "train", vocabSize: 400 } });
  await writeFile(join(given.folder, "run.json"), JSON.stringify(given.draft));
  const loaded = await loadDraft("run.json", given.folder);
  const data = await openDataFolder(join(given.folder, "data"));
  const blobs = await DiskBlobStore.open(data.path);
  const { put } = blobs;
  let left = 2; // the tokenizer and a shard
  blobs.put = async (name, bytes) => {
    if (left-- === 0) throw new Error("the process ends here");
    await put.call(blobs, name, bytes);
  };
  const hub = { endpoint: "http://localhost", token: undefined };
  await expect(makeData(loaded, { data, blobs }, { hub, report: say })).rejects.toThrow("the process ends here");
  expect(await preparedData(loaded, data.path, blobs)).toBeUndefined();
  await data.close();
  const undisturbed = await prepared(await givenCorpus({ tokenizer: { kind: "train", vocabSize: 400 } }));
  expect((await prepared(given)).made).toEqual(undisturbed.made);
});

test("an address that stops halfway is named; the next start fetches the rest, and then nothing is kept of it", async () => {
  const lines = Array.from(
    { length: 400 },
    (_, i) => `${JSON.stringify({ text: `Line ${i} from afar. `.repeat(80) })}\n`,
  ).join("");
  let broken = true;
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const { range } = request.headers;
    asked.push(range);
    const from = Number(/\d+/.exec(range ?? "")?.[0] ?? 0);
    const head = { etag: '"1"', "content-length": lines.length - from };
    response.writeHead(from > 0 ? 206 : 200, {
      ...head,
      ...(from > 0 && { "content-range": `bytes ${from}-${lines.length - 1}/${lines.length}` }),
    });
    if (broken) response.write(lines.slice(from, from + 300_000), () => response.destroy());
    else response.end(lines.slice(from));
    if (from > 0 && broken) response.destroy();
  });
  await new Promise<void>((go) => server.listen(0, "127.0.0.1", go));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/lines.jsonl?key=secret`;
  const given = await givenCorpus({ parts: [{ url }] });
  try {
    const [said, left] = await told(given);
    expect(said).toMatch(/^SpecError: corpus: http.*lines\.jsonl: it stopped after \d+ of \d+ bytes: .*Start again/);
    expect(said).not.toContain("secret");
    expect(left).toEqual(["sources"]); // what the next start goes on with
    broken = false;
    asked.length = 0;
    const { made, blobs } = await prepared(given);
    expect(asked).toEqual([expect.stringMatching(/^bytes=[1-9]/)]);
    expect(made.parts![0].documents).toBe(400);
    expect(Buffer.from((await blobs.get(made.manifest!.hash))!).toString()).not.toContain("secret");
    expect(await readdir(join(given.folder, "data", "sources"))).toEqual([]);
  } finally {
    server.close();
  }
});

test("presets are prepared too", async () => {
  const folder = await freshFolder();
  const made = await prepareData("nano", folder, { data: join(folder, "data"), json: true }, say, say);
  expect([made.tokenizer, made.parts, made.licence]).toEqual(["bytes", undefined, presets.nano.corpus.licence]);
});
