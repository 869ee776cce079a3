// Documents of a file, one at a time, whatever the file's size.
//
//   text     the whole file; longer ones in pieces that end at an empty line
//   jsonl    a line is {"text": "..."}           parquet   a row has a column "text"

import { CorpusError, messageOf } from "./fault.ts";
import type { SourceFile } from "./files.ts";
import { parquetTexts } from "./parquet.ts";
import { unpackedBytes } from "./unpack.ts";
import { characterStart, decodeUtf8 } from "./utf8.ts";

export interface Document {
  readonly text: string;
  /** The next one goes on where this one ends: no end of a text stands between them. */
  readonly goesOn: boolean;
}

/** A document that cannot be read: a file and a place in it. The caller throws it, or drops the document. */
type Refuse = (fault: CorpusError) => void;

export interface ReadOptions {
  readonly textField: string;
  readonly refuse: Refuse;
  readonly onRead: (bytes: number) => void;
}

/** A book of a megabyte is one document; what is longer would not stay small in memory, and is cut into pieces of that size. */
const PIECE_BYTES = 2 ** 20;
/** A line that is longer is no document but a mistake, for example JSON without line ends. */
const LINE_BYTES_MAX = 64 * 2 ** 20;
const NEWLINE = 10;

/** @throws CorpusError: the file itself cannot be read */
export function documentsOf(file: SourceFile, options: ReadOptions): AsyncGenerator<Document> {
  if (file.format === "parquet") return parquetDocuments(file, options);
  return file.format === "jsonl" ? jsonlDocuments(file, options) : textDocuments(file, options);
}

async function* textDocuments(file: SourceFile, { refuse, onRead }: ReadOptions): AsyncGenerator<Document> {
  let held = new Uint8Array();
  let at = 0; // of `held` in the unpacked file
  const piece = function* (bytes: Uint8Array, goesOn: boolean): Generator<Document> {
    const text = decodeUtf8(bytes);
    if (typeof text === "string") yield { text: at === 0 ? text.replace(/^\ufeff/, "") : text, goesOn };
    else refuse(notUtf8(file.name, `byte ${at + text.faultAt}`));
    at += bytes.length;
  };
  for await (const chunk of unpackedBytes(file, onRead)) {
    held = joined(held, chunk);
    while (held.length > PIECE_BYTES) {
      const cut = cutBefore(held, PIECE_BYTES);
      yield* piece(held.subarray(0, cut), true);
      held = held.slice(cut);
    }
  }
  yield* piece(held, false);
}

const notUtf8 = (name: string, place: string): CorpusError =>
  new CorpusError(
    name,
    `${place} is no UTF-8`,
    'Convert the file (iconv -f ISO-8859-1 -t UTF-8), or drop such documents: "clean": {"invalid": "drop"}',
  );

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Behind the last empty line, else the last line, else between two characters. */
function cutBefore(bytes: Uint8Array, end: number): number {
  let line = 0;
  for (let i = end; i > end / 2; i--) {
    if (bytes[i - 1] !== NEWLINE) continue;
    if (bytes[i - 2] === NEWLINE) return i;
    if (line === 0) line = i;
  }
  return line || characterStart(bytes, end);
}

async function* jsonlDocuments(file: SourceFile, { textField, refuse, onRead }: ReadOptions): AsyncGenerator<Document> {
  let number = 0;
  for await (const line of linesOf(file, onRead)) {
    number++;
    const place = `line ${number}`;
    const decoded = decodeUtf8(line);
    if (typeof decoded !== "string") {
      refuse(notUtf8(file.name, `${place}, byte ${decoded.faultAt}`));
      continue;
    }
    const source = number === 1 ? decoded.replace(/^\ufeff/, "") : decoded;
    if (source.trim() === "") continue;
    const text = textOf(source, textField);
    if (typeof text === "string") yield { text, goesOn: false };
    else refuse(new CorpusError(file.name, `${place} ${text.fault}`, text.remedy));
  }
}

function textOf(line: string, field: string): string | { readonly fault: string; readonly remedy: string } {
  const drop = 'or drop such lines: "clean": {"invalid": "drop"}';
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    return { fault: `is no JSON: ${messageOf(error)}`, remedy: `Each line is an object of its own; mend it, ${drop}` };
  }
  const text = (value as Record<string, unknown> | null)?.[field];
  if (typeof text === "string") return text;
  const fields = value !== null && typeof value === "object" ? Object.keys(value).slice(0, 12).join(", ") : "";
  return {
    fault: `has no text "${field}"`,
    remedy: `Name the field of the text: "textField": "..."${fields === "" ? "" : ` (there are ${fields})`}, ${drop}`,
  };
}

/** Lines without their ends. @throws CorpusError */
async function* linesOf(file: SourceFile, onRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of unpackedBytes(file, onRead)) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      yield heldBytes === 0 ? chunk.subarray(from, end) : Buffer.concat([...held, chunk.subarray(from, end)]);
      [held, heldBytes, from] = [[], 0, end + 1];
    }
    const rest = chunk.subarray(from);
    if (rest.length > 0) held.push(rest);
    heldBytes += rest.length;
    if (heldBytes > LINE_BYTES_MAX)
      throw new CorpusError(
        file.name,
        `a line is longer than ${LINE_BYTES_MAX / 2 ** 20} MiB`,
        "Write each document as a line of its own",
      );
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

async function* parquetDocuments(
  file: SourceFile,
  { textField, refuse, onRead }: ReadOptions,
): AsyncGenerator<Document> {
  let row = 0;
  for await (const text of parquetTexts(file, textField, onRead)) {
    row++;
    if (typeof text === "string") yield { text, goesOn: false };
    else refuse(new CorpusError(file.name, `row ${row} has no text`, 'Drop such rows: "clean": {"invalid": "drop"}'));
  }
}
