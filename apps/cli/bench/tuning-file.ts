// Where tuning is kept between two benches in Node: one JSON file.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { TuningStore } from "#engine";

export function tuningFile(path: string): TuningStore {
  const read = async (): Promise<Record<string, unknown>> => {
    const text = await readFile(path, "utf8").catch(() => "{}");
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch {
      return {}; // a damaged file is measured again
    }
  };
  return {
    get: async (key) => (await read())[key],
    async set(key, value) {
      const content = { ...(await read()), [key]: value };
      await mkdir(dirname(path), { recursive: true });
      await writeFile(`${path}.part`, JSON.stringify(content, null, 2));
      await rename(`${path}.part`, path); // a process that is killed leaves the old one or the new one
    },
  };
}
