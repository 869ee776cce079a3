// What a headless donor keeps: one key for all its processes on this machine, and a slot of that key for each.
//
//   DONOR/version.json  identity.key  blobs/  slot-N.lock  slot-N.settings  slot-N.moments-M
import { randomBytes } from "node:crypto";
import { link, mkdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { OpenColdStore } from "#engine";
import type { BlobStore, Settings } from "#store";
import { DataError, DiskBlobStore, DiskSettings, readFileIfThere, takeLock, writeFileWhole } from "#store/disk";
import { SLOTS_MAX } from "#wire";
import { openColdFile, removeLeft } from "./cold-file.ts";

const FOLDER_VERSION = 1;
const FORMAT = "gossamer donor";
const SEED_BYTES = 32;
/** Blobs of runs that nobody visits any more stay below this; a run in progress holds far less. As in a browser. */
const BLOB_BYTES_MAX = 2 * 2 ** 30;

export interface DonorFolder {
  readonly slot: number;
  /** Other processes of this folder donate too. */
  readonly shared: boolean;
  readonly blobs: BlobStore;
  readonly settings: Settings;
  /** For the moments of an engine, in a file of its own. */
  readonly openCold: OpenColdStore;
  /** The volunteer's secret: 32 bytes, made on first use, readable by the owner alone. */
  identitySeed(): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * @param wished slot to take; default: the lowest that is free
 * @throws DataError when it cannot be written, is another kind of folder, or the slot, or all of them, are taken
 */
export async function openDonorFolder(path: string, wished?: number): Promise<DonorFolder> {
  try {
    await mkdir(path, { recursive: true });
    await checkFormat(join(path, "version.json"));
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${path} cannot keep a donor's key: ${(error as Error).message}. Choose another with --data.`);
  }
  const { slot, unlock } = await takeSlot(path, wished);
  const blobs = await DiskBlobStore.open(path);
  await blobs.prune(BLOB_BYTES_MAX);
  const moments = join(path, `slot-${slot}.moments-`);
  await removeLeft(moments);
  let opened = 0;
  return {
    slot,
    shared: slot > 0,
    blobs,
    openCold: async (bytes) => openColdFile(`${moments}${opened++}`, bytes),
    settings: new DiskSettings(join(path, `slot-${slot}.settings`)),
    identitySeed: () => identitySeed(join(path, "identity.key")),
    close: unlock,
  };
}

async function checkFormat(file: string): Promise<void> {
  const content = await readFileIfThere(file);
  if (content === undefined)
    return writeFileWhole(file, `${JSON.stringify({ format: FORMAT, version: FOLDER_VERSION })}\n`);
  let found: { readonly format?: unknown; readonly version?: unknown } = {};
  try {
    found = JSON.parse(content.toString()) as typeof found;
  } catch {
    // not ours, as the next line says
  }
  if (found.format !== FORMAT)
    throw new DataError(`${file} is not a donor's: that folder has another use. Choose another with --data.`);
  if (found.version !== FOLDER_VERSION)
    throw new DataError(
      `${file} has version ${String(found.version)}; this build reads ${FOLDER_VERSION}. Use the build that made it, or another --data.`,
    );
}

async function takeSlot(path: string, wished?: number): Promise<{ slot: number; unlock: () => Promise<void> }> {
  const lock = (slot: number) =>
    takeLock(join(path, `slot-${slot}.lock`), (pid) => `Process ${pid} donates as slot ${slot} of ${path} already.`);
  if (wished !== undefined) return { slot: wished, unlock: await lock(wished) };
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    try {
      return { slot, unlock: await lock(slot) };
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
    }
  }
  throw new DataError(
    `${SLOTS_MAX} processes donate from ${path} already, and one key has no more slots. Stop one, or choose another --data.`,
  );
}

async function identitySeed(file: string): Promise<Uint8Array> {
  const known = await readFileIfThere(file);
  if (known !== undefined) return seedIn(known, file);
  const draft = `${file}.${randomBytes(6).toString("hex")}.draft`;
  await writeFileWhole(draft, `${randomBytes(SEED_BYTES).toString("hex")}\n`, 0o600);
  try {
    await link(draft, file); // of two that begin at once, both have the first one's
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(draft);
  }
  return seedIn((await readFileIfThere(file)) ?? Buffer.alloc(0), file);
}

function seedIn(content: Buffer, file: string): Uint8Array {
  const seed = Buffer.from(content.toString().trim(), "hex");
  if (seed.length !== SEED_BYTES)
    throw new DataError(`${file} does not hold 64 hex digits. Put the key back, or remove it for a new one.`);
  return new Uint8Array(seed);
}
