// One text column of a Parquet file, a group of rows at a time, by hyparquet.
import { open } from "node:fs/promises";
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { CorpusError, messageOf } from "./fault.ts";
import type { SourceFile } from "./files.ts";

/** Of a group of rows the text column is in memory as a whole, packed and as strings; writers take 128 MB or 1 Mi rows. */
const GROUP_BYTES_MAX = 2 ** 30;

/** @param onRead bytes of the file since the last call. @throws CorpusError */
export async function* parquetTexts(
  { name, path, bytes }: SourceFile,
  column: string,
  onRead: (bytes: number) => void,
): AsyncGenerator<unknown> {
  if (bytes === 0) throw new CorpusError(name, "the file is empty", "Take it out, or fetch it again");
  const handle = await open(path);
  try {
    const file = {
      byteLength: bytes,
      async slice(start: number, end = bytes): Promise<ArrayBuffer> {
        const buffer = new ArrayBuffer(end - start);
        await handle.read(new Uint8Array(buffer), 0, end - start, start);
        return buffer;
      },
    };
    const metadata = await parquetMetadataAsync(file);
    const columns = parquetSchema(metadata).children.map(({ element }) => element);
    const chosen = columns.find((element) => element.name === column);
    if (chosen === undefined || chosen.type !== "BYTE_ARRAY") {
      const texts = columns.filter(({ type }) => type === "BYTE_ARRAY").map((element) => element.name);
      const there = texts.length === 0 ? "none of its columns is text" : `its columns of text are ${texts.join(", ")}`;
      throw new CorpusError(
        name,
        `there is no column of text named "${column}"`,
        `Name it: "textField": "..."; ${there}`,
      );
    }
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const meta = group.columns.find((each) => each.meta_data?.path_in_schema[0] === column)?.meta_data;
      const groupBytes = Number(meta?.total_uncompressed_size ?? 0);
      if (groupBytes > GROUP_BYTES_MAX)
        throw new CorpusError(
          name,
          `a group of rows has ${groupBytes} bytes of text, ${GROUP_BYTES_MAX} at most stay in memory`,
          "Write it again with smaller row groups",
        );
      const rowEnd = rowStart + Number(group.num_rows);
      const rows = await parquetReadObjects({ file, metadata, columns: [column], rowStart, rowEnd, compressors });
      for (const row of rows) yield row[column];
      onRead(Number(group.total_compressed_size ?? group.total_byte_size));
      rowStart = rowEnd;
    }
  } catch (error) {
    if (error instanceof CorpusError) throw error;
    throw new CorpusError(
      name,
      `is no Parquet that can be read: ${messageOf(error)}`,
      "Fetch it again, or convert it to .jsonl",
    );
  } finally {
    await handle.close();
  }
}
