import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type Document, documentsOf } from "./documents.ts";
import type { CorpusError } from "./fault.ts";
import { formatOf, localFiles } from "./files.ts";

const fixture = (name: string): string => join(import.meta.dirname, "fixtures", name);
const folderOf = (): Promise<string> => mkdtemp(join(tmpdir(), "gossamer-corpus-"));

interface Read {
  readonly texts: string[];
  readonly documents: Document[];
  readonly refused: string[];
  readonly bytesRead: number;
}

async function read(path: string, textField = "text", name = path.split("/").at(-1)!): Promise<Read> {
  const { files } = await localFiles(path, name);
  const documents: Document[] = [];
  const refused: string[] = [];
  let bytesRead = 0;
  const refuse = (fault: CorpusError) => void refused.push(fault.message);
  for await (const document of documentsOf(files[0], { textField, refuse, onRead: (bytes) => (bytesRead += bytes) }))
    documents.push(document);
  return { texts: documents.map(({ text }) => text), documents, refused, bytesRead };
}

async function given(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(await folderOf(), name);
  await writeFile(path, content);
  return path;
}

test("a text is a document; a mark of the byte order is none of it", async () => {
  expect(await read(await given("a.txt", "\ufeffGrüße\n"))).toMatchObject({
    documents: [{ text: "Grüße\n", goesOn: false }],
    bytesRead: 11,
  });
});

test("a long text comes in pieces that end at an empty line, and none of it is lost", async () => {
  const content = Array.from(
    { length: 40_000 },
    (_, i) => `Absatz ${i} mit Wörtern darin, mehr oder weniger.\n\n`,
  ).join("");
  const { texts, documents } = await read(await given("a.md", content));
  expect(texts.length).toBeGreaterThan(1);
  expect(texts.join("")).toBe(content);
  expect(texts.slice(0, -1).every((text) => text.endsWith("\n\n"))).toBe(true);
  expect(documents.map(({ goesOn }) => goesOn)).toEqual([...texts.slice(1).map(() => true), false]);
  const oneLine = "ä".repeat(1_500_000);
  expect((await read(await given("b.txt", oneLine))).texts.join("")).toBe(oneLine);
});

test("gz and zst are unpacked as they come", async () => {
  const path = await given("a.txt.gz", gzipSync("packed ".repeat(100_000)));
  expect((await read(path)).texts.join("")).toBe("packed ".repeat(100_000));
  expect((await read(fixture("lines.jsonl.zst"))).texts).toEqual(new Array(5000).fill("einmal"));
});

test("jsonl: a line is a document, by the field that was named", async () => {
  const path = await given("a.jsonl", '{"text":"one","body":"eins"}\r\n\n{"text":"two","body":"zwei"}');
  expect((await read(path)).texts).toEqual(["one", "two"]);
  expect((await read(path, "body")).texts).toEqual(["eins", "zwei"]);
});

test.each(["texts.zstd.parquet", "texts.snappy.parquet"])(
  "%s, as pyarrow writes it, is read group by group",
  async (name) => {
    const { texts, refused } = await read(fixture(name));
    expect(texts).toHaveLength(50);
    expect(texts[7]).toBe(`Document 7: größer als 你好 🙂\n${"words and words. ".repeat(2)}`);
    expect(refused).toEqual([]);
    expect((await read(fixture(name), "title")).refused).toEqual([
      expect.stringMatching(/parquet: row 4 has no text\. .*"drop"/),
    ]);
  },
);

test("documents that cannot be read are named by file and place, with the remedy", async () => {
  const latin = Buffer.concat([Buffer.from("gut \u20ac "), Buffer.from("caf\xe9 au lait", "latin1")]);
  expect(await read(await given("a.txt", latin))).toMatchObject({
    texts: [],
    refused: [expect.stringMatching(/^a\.txt: byte 11 is no UTF-8\. Convert the file \(iconv .*"invalid": "drop"/)],
  });
  const lines = ['{"text":"good"}', "{text: bad}", '{"title":"x"}', '{"text":7}', "null", '{"text":"end"}'].join("\n");
  const { texts, refused } = await read(await given("a.jsonl", lines));
  expect(texts).toEqual(["good", "end"]);
  expect(refused[0]).toMatch(/^a\.jsonl: line 2 is no JSON: .*\. Each line is an object of its own/);
  expect(refused[1]).toMatch(/^a\.jsonl: line 3 has no text "text"\. Name the field .*there are title/);
  expect(refused.slice(2).map((message) => message.slice(0, 35))).toEqual([
    'a.jsonl: line 4 has no text "text".',
    'a.jsonl: line 5 has no text "text".',
  ]);
  const bad = await given(
    "b.jsonl",
    Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xff]), Buffer.from('"}\n')]),
  );
  expect((await read(bad)).refused[0]).toMatch(/^b\.jsonl: line 1, byte 9 is no UTF-8/);
});

test.each<[string, string, () => Promise<string>, RegExp]>([
  ["an empty file", "a.txt", () => given("a.txt", ""), /^a\.txt: the file is empty\. Take it out, or fetch it again/],
  ["an empty Parquet", "a.parquet", () => given("a.parquet", ""), /^a\.parquet: the file is empty/],
  ["an ending that nobody knows", "a.pdf", () => given("a.pdf", "x"), /^a\.pdf: its ending says no format .*\.jsonl/],
  [
    "no file",
    "no.txt",
    async () => "/no/no.txt",
    /^no\.txt: there is no file or folder \/no\/no\.txt\. The path is relative/,
  ],
  [
    "a gz that is cut off",
    "a.txt.gz",
    () => given("a.txt.gz", gzipSync("x".repeat(9999)).subarray(0, 20)),
    /^a\.txt\.gz: cannot be unpacked: .*\. It is damaged or cut off/,
  ],
  ["a gz that is none", "a.md.gz", () => given("a.md.gz", "plain"), /^a\.md\.gz: cannot be unpacked: /],
  ["a zst that is none", "a.md.zst", () => given("a.md.zst", "plain text"), /^a\.md\.zst: cannot be unpacked: /],
  [
    "a Parquet without text",
    "numbers.parquet",
    async () => fixture("numbers.parquet"),
    /^numbers\.parquet: there is no column of text named "text"\. .*none of its columns is text/,
  ],
  [
    "a Parquet that is none",
    "a.parquet",
    () => given("a.parquet", "PAR1 no"),
    /^a\.parquet: is no Parquet that can be read: /,
  ],
])("%s is named with its remedy", async (_, name, make, message) => {
  await expect(make().then((path) => read(path, "text", name))).rejects.toThrow(message);
});

test("a Parquet names the columns of text that it has; one that is cut off is none", async () => {
  await expect(read(fixture("texts.zstd.parquet"), "body")).rejects.toThrow(
    'there is no column of text named "body". Name it: "textField": "..."; its columns of text are text, title',
  );
  const whole = await readFile(fixture("texts.zstd.parquet"));
  await expect(read(await given("a.parquet", whole.subarray(0, 700)))).rejects.toThrow(/^a\.parquet: is no Parquet/);
});

test("a folder's files come in the order of their names; others are passed over, and one without any is refused", async () => {
  const folder = await folderOf();
  for (const name of ["b.txt", "a.jsonl", "LICENSE", ".hidden.txt"]) await writeFile(join(folder, name), "{}");
  const { files, skipped } = await localFiles(folder, "./books");
  expect([files.map(({ name }) => name), skipped]).toEqual([["./books/a.jsonl", "./books/b.txt"], ["./books/LICENSE"]]);
  await expect(localFiles(await folderOf(), "./none")).rejects.toThrow(
    "the folder has no file of a format that is read here",
  );
  expect(formatOf("A.TXT.GZ")).toEqual({ format: "text", packed: "gz" });
  expect(formatOf("a.parquet.gz")).toBeUndefined();
});
