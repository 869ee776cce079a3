// Where blobs and a browser's few settings stay. Three implementations under one contract suite (contract.ts): memory, IndexedDB
// (shared by the tabs of a browser), and files on a host's disk. What a host asks for beyond that is in host-store.ts.

/**
 * refused: storage is switched off or denied (private window, blocked cookies). full: the quota is used up. gone: the browser evicted
 * or closed it under us. broken: everything else, cause attached.
 */
export type StorageFault = "refused" | "full" | "gone" | "broken";

export class StorageError extends Error {
  readonly fault: StorageFault;
  constructor(fault: StorageFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "StorageError";
    this.fault = fault;
  }
}

export interface StorageUsage {
  readonly blobs: number;
  readonly bytes: number;
}

/**
 * Blobs by name (the hash of their piece list; packages/wire/blob.ts). The store does not check names: who fetched a blob did. All methods reject
 * with StorageError only. A returned array belongs to the caller; a stored one is copied, so the caller may reuse it.
 */
export interface BlobStore {
  get(name: string): Promise<Uint8Array | undefined>;
  /** Resolves when the bytes are stored; storing a name again is nothing (same name, same bytes). */
  put(name: string, bytes: Uint8Array): Promise<void>;
  has(name: string): Promise<boolean>;
  /** Deleting what is not there is nothing. */
  delete(name: string): Promise<void>;
  names(): Promise<string[]>;
  usage(): Promise<StorageUsage>;
}

/** A few small values by key (identity, display name): structured-cloneable. */
export interface Settings {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown): Promise<void>;
  /** Stores what `change` makes of the value (undefined: none), in one transaction, and resolves to it: two tabs agree. */
  update(key: string, change: (value: unknown) => unknown): Promise<unknown>;
}
