// A run's log as text: one entry a line. So a backup holds it, and so data format 1 kept it.
//
//   log.ndjson:  {"version":1,"seq":0,…}\n  {"version":1,"seq":1,…}\n  …       a last line without \n was never acknowledged
import { join } from "node:path";
import { readFileIfThere } from "./disk-file.ts";

export interface LogLines {
  /** Whole lines, without their ends. */
  readonly lines: string[];
  /** Bytes after them: a write that a crash or a power cut interrupted. */
  readonly tornBytes: number;
}

export const linesPath = (folder: string): string => join(folder, "log.ndjson");

/** Undefined: there is no such file. */
export async function readLines(folder: string): Promise<LogLines | undefined> {
  const content = await readFileIfThere(linesPath(folder));
  if (content === undefined) return undefined;
  const bytes = content.lastIndexOf(0x0a) + 1;
  return {
    lines: content.subarray(0, bytes).toString("utf8").split("\n").slice(0, -1),
    tornBytes: content.length - bytes,
  };
}
