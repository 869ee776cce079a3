// A few small values in one file, for a process of its own: no other one may have it open.
//
//   FILE   v8's structured clone of Map<key, value>, written whole
import { deserialize, serialize } from "node:v8";
import { type Settings, StorageError } from "./blob-store.ts";
import { readFileIfThere, writeFileWhole } from "./disk-file.ts";

/** All methods reject with StorageError only. A file that cannot be read begins anew: it holds what can be measured or counted again. */
export class DiskSettings implements Settings {
  readonly #path: string;
  #values: Promise<Map<string, unknown>> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  async get(key: string): Promise<unknown> {
    return structuredClone((await this.#read()).get(key));
  }

  async set(key: string, value: unknown): Promise<void> {
    await this.update(key, () => value);
  }

  async update(key: string, change: (value: unknown) => unknown): Promise<unknown> {
    const values = await this.#read();
    const value = structuredClone(change(structuredClone(values.get(key))));
    values.set(key, value);
    await this.#write(values);
    return structuredClone(value);
  }

  #read(): Promise<Map<string, unknown>> {
    this.#values ??= readFileIfThere(this.#path).then(
      (content) => valuesIn(content),
      (error: unknown) => Promise.reject(new StorageError("broken", `${this.#path} cannot be read`, error)),
    );
    return this.#values;
  }

  /** One after the other: a later one has all that an earlier one has. */
  #write(values: Map<string, unknown>): Promise<void> {
    const written = this.#writing.then(() => writeFileWhole(this.#path, serialize(values), 0o600));
    this.#writing = written.catch(() => {});
    return written.catch((error: unknown) => {
      const full = (error as NodeJS.ErrnoException).code === "ENOSPC";
      throw new StorageError(full ? "full" : "broken", `${this.#path} cannot be written: ${String(error)}`, error);
    });
  }
}

function valuesIn(content: Buffer | undefined): Map<string, unknown> {
  if (content === undefined) return new Map();
  try {
    const values: unknown = deserialize(content);
    return values instanceof Map ? values : new Map();
  } catch {
    return new Map();
  }
}
