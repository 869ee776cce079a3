// Which files a corpus is made of, and how each is read, by its name alone.
//
//   books/a.txt  b.md.gz  c.jsonl.zst  d.parquet     ->  {format, packed}
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { CorpusError } from "./fault.ts";

export type Format = "text" | "jsonl" | "parquet";
export type Packed = "gz" | "zst" | undefined;

/** A file on this disk that is read as documents. */
export interface SourceFile {
  /** What messages and the manifest call it. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number; // as it lies there
  readonly format: Format;
  readonly packed: Packed;
}

const formats: Record<string, Format> = {
  txt: "text",
  text: "text",
  md: "text",
  markdown: "text",
  jsonl: "jsonl",
  ndjson: "jsonl",
  parquet: "parquet",
};
const KNOWN = ".txt, .md, .jsonl, .parquet, and .gz or .zst of the first three";

/** Undefined: nobody knows what is in it. */
export function formatOf(name: string): { readonly format: Format; readonly packed: Packed } | undefined {
  const match = /\.([a-z]+)(?:\.(gz|zst))?$/i.exec(name);
  const format = formats[match?.[1]?.toLowerCase() ?? ""];
  const packed = match?.[2]?.toLowerCase() as Packed;
  if (format === undefined || (format === "parquet" && packed !== undefined)) return undefined;
  return { format, packed };
}

export const unknownFormat = (name: string): CorpusError =>
  new CorpusError(name, "its ending says no format that is read here", `Give it one of ${KNOWN}`);

export interface FoundFiles {
  readonly files: readonly SourceFile[];
  /** In a folder, but of no known format. */
  readonly skipped: readonly string[];
}

/**
 * A file, or all files below a folder, in the order of their names' bytes, so that it is the same everywhere. Hidden ones are passed over.
 * @throws CorpusError
 */
export async function localFiles(path: string, name: string): Promise<FoundFiles> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined)
    throw new CorpusError(name, `there is no file or folder ${path}`, "The path is relative to the spec's own folder");
  if (!found.isDirectory()) {
    const format = formatOf(path);
    if (format === undefined) throw unknownFormat(name);
    return { files: [{ name, path, bytes: found.size, ...format }], skipped: [] };
  }
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((each) => !each.split("/").some((part) => part.startsWith(".")))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const files: SourceFile[] = [];
  const skipped: string[] = [];
  for (const each of names) {
    const format = formatOf(each);
    const shown = `${name.replace(/\/$/, "")}/${each}`;
    if (format === undefined) skipped.push(shown);
    else files.push({ name: shown, path: join(path, each), bytes: (await stat(join(path, each))).size, ...format });
  }
  if (files.length === 0)
    throw new CorpusError(name, "the folder has no file of a format that is read here", `Those are ${KNOWN}`);
  return { files, skipped };
}
