// Blobs and settings in IndexedDB, shared by all tabs of a browser.
//
//   blobs: name -> bytes     sizes: name -> {bytes, storedAt}     settings: key -> value
//
// Sizes are apart so that usage and pruning never load a blob. storedAt is wall-clock ms: it orders pruning and decides nothing else.
import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from "idb";
import { type BlobStore, type Settings, StorageError, type StorageFault, type StorageUsage } from "./blob-store.ts";

/** A newer page upgrades; an older page finds a newer database and says so ("gone": reload the page). */
export const IDB_VERSION = 1;

interface Schema extends DBSchema {
  blobs: { key: string; value: Uint8Array<ArrayBuffer> };
  sizes: { key: string; value: { bytes: number; storedAt: number } };
  settings: { key: string; value: unknown };
}

const faultByName: Readonly<Record<string, StorageFault>> = {
  QuotaExceededError: "full",
  SecurityError: "refused",
  NotAllowedError: "refused",
  InvalidStateError: "gone", // the connection was closed: evicted, or another tab upgraded the database
  NotFoundError: "gone",
  VersionError: "gone",
};

function storageError(doing: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : "";
  const text = cause instanceof Error || cause instanceof DOMException ? cause.message : String(cause);
  return new StorageError(faultByName[name] ?? "broken", `${doing}: ${text}`, cause);
}

export class IdbStore implements BlobStore {
  readonly #database: IDBPDatabase<Schema>;
  readonly settings: Settings;

  private constructor(database: IDBPDatabase<Schema>) {
    this.#database = database;
    this.settings = new IdbSettings(database);
  }

  /** Rejects with StorageError: "refused" where the browser denies storage. */
  static async open(name = "gossamer"): Promise<IdbStore> {
    if (globalThis.indexedDB === undefined) {
      throw new StorageError(
        "refused",
        "this browser offers no IndexedDB here (a private window, or storage is blocked)",
      );
    }
    try {
      const database = await openDB<Schema>(name, IDB_VERSION, {
        upgrade(db, oldVersion) {
          // Each version adds its step; none removes data of an earlier one without saying so.
          if (oldVersion < 1) {
            db.createObjectStore("blobs");
            db.createObjectStore("sizes");
            db.createObjectStore("settings");
          }
        },
        blocking(_current, _blocked, event) {
          (event.target as IDBDatabase).close(); // a newer page wants to upgrade: let it; our next call rejects with "gone"
        },
      });
      return new IdbStore(database);
    } catch (cause) {
      // Firefox's private windows and denied storage reject the opening itself, under several names.
      const error = storageError(`opening the database ${name}`, cause);
      throw error.fault === "broken" ? new StorageError("refused", error.message, cause) : error;
    }
  }

  async #do<T>(doing: string, work: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    try {
      return await work(this.#database);
    } catch (cause) {
      throw storageError(doing, cause);
    }
  }

  get(name: string): Promise<Uint8Array | undefined> {
    return this.#do(`reading blob ${name}`, (db) => db.get("blobs", name));
  }

  put(name: string, bytes: Uint8Array): Promise<void> {
    return this.#do(`storing blob ${name} of ${bytes.length} bytes`, async (db) => {
      const transaction = db.transaction(["blobs", "sizes"], "readwrite");
      const sizes = transaction.objectStore("sizes");
      // An aborted transaction (quota) rejects both the request and done: both must be awaited, or one is unhandled.
      const work = async () => {
        if ((await sizes.getKey(name)) !== undefined) return;
        await sizes.put({ bytes: bytes.length, storedAt: Date.now() }, name);
        await transaction.objectStore("blobs").put(new Uint8Array(bytes), name);
      };
      await Promise.all([work(), transaction.done]);
    });
  }

  has(name: string): Promise<boolean> {
    return this.#do(`looking for blob ${name}`, async (db) => (await db.getKey("sizes", name)) !== undefined);
  }

  delete(name: string): Promise<void> {
    return this.#do(`deleting blob ${name}`, async (db) => {
      const transaction = db.transaction(["blobs", "sizes"], "readwrite");
      await Promise.all([
        transaction.objectStore("blobs").delete(name),
        transaction.objectStore("sizes").delete(name),
        transaction.done,
      ]);
    });
  }

  names(): Promise<string[]> {
    return this.#do("listing blobs", (db) => db.getAllKeys("sizes"));
  }

  usage(): Promise<StorageUsage> {
    return this.#do("measuring storage", async (db) => {
      const sizes = await db.getAll("sizes");
      return { blobs: sizes.length, bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0) };
    });
  }

  /** Deletes the oldest blobs until at most bytesMax are left: runs that nobody visits any more. They can be fetched again. */
  prune(bytesMax: number): Promise<void> {
    return this.#do("pruning blobs", async (db) => {
      const transaction = db.transaction("sizes");
      const [names, sizes] = await Promise.all([transaction.store.getAllKeys(), transaction.store.getAll()]);
      const oldestFirst = names.map((name, i) => ({ name, ...sizes[i] })).sort((a, b) => a.storedAt - b.storedAt);
      let bytes = oldestFirst.reduce((sum, blob) => sum + blob.bytes, 0);
      for (const blob of oldestFirst) {
        if (bytes <= bytesMax) break;
        await this.delete(blob.name);
        bytes -= blob.bytes;
      }
    });
  }

  close(): void {
    this.#database.close();
  }
}

/** Who has it open closes it (`blocking` above), and hears "gone" from then on. */
export async function deleteIdb(name: string): Promise<void> {
  try {
    await deleteDB(name);
  } catch (cause) {
    throw storageError(`deleting the database ${name}`, cause);
  }
}

class IdbSettings implements Settings {
  readonly #database: IDBPDatabase<Schema>;

  constructor(database: IDBPDatabase<Schema>) {
    this.#database = database;
  }

  async get(key: string): Promise<unknown> {
    try {
      return await this.#database.get("settings", key);
    } catch (cause) {
      throw storageError(`reading setting ${key}`, cause);
    }
  }

  async set(key: string, value: unknown): Promise<void> {
    try {
      await this.#database.put("settings", value, key);
    } catch (cause) {
      throw storageError(`storing setting ${key}`, cause);
    }
  }

  async update(key: string, change: (value: unknown) => unknown): Promise<unknown> {
    try {
      const transaction = this.#database.transaction("settings", "readwrite");
      const work = async () => {
        const value = change(await transaction.store.get(key));
        await transaction.store.put(value, key);
        return value;
      };
      const [stored] = await Promise.all([work(), transaction.done]);
      return stored;
    } catch (cause) {
      throw storageError(`storing setting ${key}`, cause);
    }
  }
}
