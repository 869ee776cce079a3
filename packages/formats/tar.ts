// Several files as one download: a POSIX (ustar) archive, whose size is known before it begins.
//
//   for each file | header 512: name, mode, size (octal), time, checksum, "ustar" | its bytes | 0 … to 512 |      then 1,024 zeros
import type { ExportFile } from "./export.ts";

const BLOCK = 512;
/** The size's field has 11 octal digits: 8 GiB. A header says no more, and no file of ours is so large. */
const rest = (bytes: number): number => (BLOCK - (bytes % BLOCK)) % BLOCK;

/**
 * @param folder that the files lie in when it is unpacked; the archive's name is FOLDER.tar
 * @param time of the files, in ms since 1970
 */
export function tarOf(folder: string, files: readonly ExportFile[], time: number): ExportFile {
  const named = files.map((file) => ({ file, header: header(`${folder}/${file.name}`, file.bytes, time) }));
  return {
    name: `${folder}.tar`,
    bytes: files.reduce((sum, { bytes }) => sum + BLOCK + bytes + rest(bytes), 2 * BLOCK),
    async *chunks(source) {
      for (const { file, header } of named) {
        yield header;
        yield* file.chunks(source);
        if (rest(file.bytes) > 0) yield new Uint8Array(rest(file.bytes));
      }
      yield new Uint8Array(2 * BLOCK);
    },
  };
}

function header(name: string, bytes: number, time: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const text = (at: number, value: string): void => block.set(new TextEncoder().encode(value), at);
  const octal = (at: number, digits: number, value: number): void =>
    text(at, `${value.toString(8).padStart(digits, "0")}\0`);
  if (name.length > 100) throw new RangeError(`${name} is longer than the 100 bytes that an archive's name has`); // ours are short
  text(0, name);
  octal(100, 7, 0o644);
  octal(108, 7, 0); // no owner
  octal(116, 7, 0);
  octal(124, 11, bytes);
  octal(136, 11, Math.floor(time / 1000));
  text(148, " ".repeat(8)); // the checksum counts as spaces
  text(156, "0"); // a plain file
  text(257, "ustar\x0000");
  const sum = block.reduce((all, byte) => all + byte, 0);
  text(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
