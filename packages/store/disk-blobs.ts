// Blobs as files, named by their hash. A file that has its name is whole: it was synced before it got it.
//
//   blobs/ab/ab12…  (64 hex digits)        blobs/incoming/*.tmp   writes under way; emptied when a host opens the directory
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { hashHex, PIECE_BYTES, pieceListOf } from "#wire";
import { StorageError, type StorageUsage } from "./blob-store.ts";
import { readFileIfThere, syncFolder } from "./disk-file.ts";
import { BlobRefused, type HostBlobs } from "./host-store.ts";

const NAME = /^[0-9a-f]{64}$/;

function storageError(error: unknown): StorageError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return new StorageError("full", `the disk is full (${message})`, error);
  if (code === "EACCES" || code === "EROFS") return new StorageError("refused", message, error);
  return new StorageError("broken", message, error);
}

/** Hashes pieces as bytes go by. */
class PieceHasher {
  #bytes = 0;
  readonly #hashes: Uint8Array[] = [];
  #current = createHash("sha256");
  #inPiece = 0;

  update(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#inPiece === PIECE_BYTES) this.#endPiece();
      const part = chunk.subarray(at, at + PIECE_BYTES - this.#inPiece);
      this.#current.update(part);
      this.#inPiece += part.length;
      at += part.length;
    }
    this.#bytes += chunk.length;
  }

  #endPiece(): void {
    this.#hashes.push(new Uint8Array(this.#current.digest()));
    this.#current = createHash("sha256");
    this.#inPiece = 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Ends the blob. */
  list(): Uint8Array {
    this.#endPiece();
    return pieceListOf(this.#bytes, this.#hashes);
  }
}

export class DiskBlobStore implements HostBlobs {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * @param data the data directory
   * @param owner empties what an interrupted host left half written; the witness's thread and replay, which only look on, do not
   */
  static async open(data: string, { owner = false } = {}): Promise<DiskBlobStore> {
    const folder = join(data, "blobs");
    const incoming = join(folder, "incoming");
    if (owner) await rm(incoming, { recursive: true, force: true });
    await mkdir(incoming, { recursive: true });
    return new DiskBlobStore(folder);
  }

  /** @throws RangeError for what is no blob name: it must never become a path. */
  path(name: string): string {
    if (!NAME.test(name)) throw new RangeError(`"${name.slice(0, 80)}" is no blob name`);
    return join(this.#folder, name.slice(0, 2), name);
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const content = await readFileIfThere(this.path(name)).catch((error) => Promise.reject(storageError(error)));
    return content === undefined ? undefined : new Uint8Array(content.buffer, content.byteOffset, content.length);
  }

  getNow(name: string): Uint8Array | undefined {
    try {
      const content = readFileSync(this.path(name));
      return new Uint8Array(content.buffer, content.byteOffset, content.length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw storageError(error);
    }
  }

  async has(name: string): Promise<boolean> {
    return (await this.bytes(name)) !== undefined;
  }

  async bytes(name: string): Promise<number | undefined> {
    const found = await stat(this.path(name)).catch(() => undefined);
    return found?.size;
  }

  async *read(name: string, start: number, end: number): AsyncIterable<Uint8Array> {
    try {
      yield* createReadStream(this.path(name), { start, end });
    } catch (error) {
      throw storageError(error);
    }
  }

  async pieceList(name: string): Promise<Uint8Array> {
    const hasher = new PieceHasher();
    for await (const chunk of createReadStream(this.path(name), { highWaterMark: PIECE_BYTES })) hasher.update(chunk);
    return hasher.list();
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    if (await this.has(name)) return;
    await this.#write(name, async (file) => {
      await file.writeFile(bytes);
    });
  }

  async receive(name: string, chunks: AsyncIterable<Uint8Array>, bytesMax: number): Promise<number> {
    const hasher = new PieceHasher();
    await this.#write(name, async (file) => {
      for await (const chunk of chunks) {
        if (hasher.bytes + chunk.length > bytesMax)
          throw new BlobRefused("too-large", `a blob of this run has at most ${bytesMax} bytes`);
        hasher.update(chunk);
        await file.writeFile(chunk);
      }
      const actual = hashHex(hasher.list());
      if (actual !== name) throw new BlobRefused("wrong-name", `these bytes are blob ${actual}, not ${name}`);
    });
    return hasher.bytes;
  }

  async #write(name: string, fill: (file: FileHandle) => Promise<void>): Promise<void> {
    const path = this.path(name);
    const temporary = join(this.#folder, "incoming", `${name}.${randomBytes(6).toString("hex")}.tmp`);
    try {
      const file = await open(temporary, "wx", 0o644);
      try {
        await fill(file);
        await file.sync();
      } finally {
        await file.close();
      }
      const folder = join(this.#folder, name.slice(0, 2));
      if ((await mkdir(folder, { recursive: true })) !== undefined) await syncFolder(this.#folder);
      await rename(temporary, path);
      await syncFolder(folder);
    } catch (error) {
      await rm(temporary, { force: true });
      throw (error as NodeJS.ErrnoException).syscall === undefined ? error : storageError(error);
    }
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize;
  }

  async delete(name: string): Promise<void> {
    await rm(this.path(name), { force: true });
  }

  async names(): Promise<string[]> {
    const folders = (await readdir(this.#folder)).filter((folder) => /^[0-9a-f]{2}$/.test(folder));
    const names = await Promise.all(folders.map((folder) => readdir(join(this.#folder, folder))));
    return names.flat().sort();
  }

  /**
   * Deletes what was stored longest ago until the rest fits. For a donor's, and a cache: of a host's own, retention says what may go.
   * @param storedBefore younger ones stay; milliseconds since 1970
   */
  async prune(bytesMax: number, storedBefore = Number.POSITIVE_INFINITY): Promise<void> {
    const found = await Promise.all(
      (await this.names()).map(async (name) => ({ name, stat: await stat(this.path(name)).catch(() => undefined) })),
    );
    const blobs = found.flatMap(({ name, stat }) => (stat ? [{ name, bytes: stat.size, storedAt: stat.mtimeMs }] : []));
    let bytes = blobs.reduce((sum, blob) => sum + blob.bytes, 0);
    for (const blob of blobs.sort((a, b) => a.storedAt - b.storedAt)) {
      if (bytes <= bytesMax || blob.storedAt >= storedBefore) break;
      await this.delete(blob.name);
      bytes -= blob.bytes;
    }
  }

  async usage(): Promise<StorageUsage> {
    const names = await this.names();
    const sizes = await Promise.all(names.map((name) => this.bytes(name)));
    return { blobs: names.length, bytes: sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0) };
  }
}
