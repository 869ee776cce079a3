// The store of a browser: IndexedDB where it is allowed, memory where it is not, and a notice that says which and why.
import { type BlobStore, type Settings, StorageError } from "./blob-store.ts";
import { deleteIdb, IdbStore } from "./idb.ts";
import { MemoryBlobStore, MemorySettings } from "./memory.ts";

/** Blobs of runs that nobody visits any more stay below this; a run in progress holds far less. */
const STORE_BYTES_MAX = 2 * 2 ** 30;

export interface BrowserStore {
  readonly blobs: BlobStore;
  readonly settings: Settings;
  /** Set when this is memory: why the browser would not store. */
  readonly refused: StorageError | undefined;
}

/** Never rejects: a browser without storage donates too, under an identity that lives as long as the tab. */
export async function openBrowserStore(name = "gossamer"): Promise<BrowserStore> {
  try {
    const store = await IdbStore.open(name);
    await store.prune(STORE_BYTES_MAX);
    return { blobs: store, settings: store.settings, refused: undefined };
  } catch (error) {
    const refused = error instanceof StorageError ? error : new StorageError("broken", String(error), error);
    return { blobs: new MemoryBlobStore(), settings: new MemorySettings(), refused };
  }
}

/** Everything that this origin keeps in IndexedDB. Other tabs that use it go on from memory. */
export async function forgetBrowserStore(name = "gossamer"): Promise<void> {
  if (globalThis.indexedDB !== undefined) await deleteIdb(name);
}

const IDENTITY_KEY = "identity";
const SEED_BYTES = 32;

/**
 * The volunteer's secret: 32 bytes, made once per browser and shared by its tabs.
 * @param fresh 32 random bytes, used when there is none yet (or when what is stored is no seed)
 */
export async function identitySeed(settings: Settings, fresh: Uint8Array): Promise<Uint8Array> {
  if (fresh.length !== SEED_BYTES) throw new TypeError(`an identity seed has ${SEED_BYTES} bytes, not ${fresh.length}`);
  return (await settings.update(IDENTITY_KEY, (stored) => (isSeed(stored) ? stored : fresh))) as Uint8Array;
}

/** Another one takes the place of the volunteer's secret: what it was credited with stays with the old key. */
export async function setIdentitySeed(settings: Settings, seed: Uint8Array): Promise<void> {
  if (!isSeed(seed)) throw new TypeError(`an identity seed has ${SEED_BYTES} bytes`);
  await settings.set(IDENTITY_KEY, seed);
}

const isSeed = (stored: unknown): stored is Uint8Array => stored instanceof Uint8Array && stored.length === SEED_BYTES;
