// Lessons that were trained before: one JSON line each in a file, so that hours of them survive an interruption.
//
//   {"version": 1, "key": SHA-256 of what the lesson depends on, "trained": …}
//
// The key holds spec and setting, not the code: after a change of the methods' arithmetic, begin a new file.
import { appendFile } from "node:fs/promises";
import type { Trained } from "#sim";
import { readFileIfThere } from "#store/disk";
import { canonicalBytes, hashHex } from "#wire";

const VERSION = 1;

export interface LessonBook {
  once(what: unknown, train: () => Promise<Trained>): Promise<Trained>;
}

/** @param path undefined: nothing is kept */
export async function openLessonBook(path: string | undefined): Promise<LessonBook> {
  const trainedByKey = new Map<string, Trained>();
  const content = path === undefined ? undefined : await readFileIfThere(path);
  for (const line of content?.toString().split("\n") ?? []) {
    const read = lineFrom(line);
    if (read !== undefined) trainedByKey.set(read.key, read.trained);
  }
  return {
    once: async (what, train) => {
      const key = hashHex(canonicalBytes(what));
      const known = trainedByKey.get(key);
      if (known !== undefined) return known;
      const trained = await train();
      trainedByKey.set(key, trained);
      if (path !== undefined) await appendFile(path, `${JSON.stringify({ version: VERSION, key, trained })}\n`);
      return trained;
    },
  };
}

/** A line that was cut off by a crash is none. */
function lineFrom(line: string): { readonly key: string; readonly trained: Trained } | undefined {
  try {
    const value = JSON.parse(line) as { version: number; key: string; trained: Trained };
    return value.version === VERSION ? value : undefined;
  } catch {
    return undefined;
  }
}
