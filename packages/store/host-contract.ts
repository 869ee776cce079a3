// What every log and every blob store of a host does: one suite for memory, the data directory and a cluster's server. Imported by tests only.
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { blobName, encodePieceList, identityFrom, type LogEntry, PIECE_BYTES, signEntry } from "#wire";
import { BlobRefused, type HostBlobs, LogConflictError, type OpenedLog } from "./host-store.ts";

export const contractHost = identityFrom(new Uint8Array(32).fill(1));
export const contractRun = "ab".repeat(32);

/** @param first of the rounds that are named, so that two chains differ */
export function chainOf(length: number, first = 0): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let i = 0; i < length; i++) {
    const body = { type: "void", round: first + i, reason: "lost" } as const;
    entries.push(signEntry(contractHost, contractRun, entries.at(-1), 1000 + i, body));
  }
  return entries;
}

/** One log: opened as often as a test likes. */
export interface LogPlace {
  open(hostKey?: string): Promise<OpenedLog>;
}

async function entriesOf({ open }: LogPlace): Promise<LogEntry[]> {
  const { log, entries } = await open();
  await log.close();
  return entries;
}

/** @param shared a second process may open it while the first one appends: the log itself keeps them apart */
export function logContract(kind: string, place: () => Promise<LogPlace>, { shared = false } = {}): void {
  describe(`log: ${kind}`, () => {
    test("gives back what was appended, in order, also when appends overlap", async () => {
      const { open } = await place();
      const entries = chainOf(5);
      const first = await open();
      expect(first.entries).toEqual([]);
      await Promise.all(entries.slice(0, 4).map((entry) => first.log.append(entry)));
      await first.log.close();
      const second = await open();
      expect(second.entries).toEqual(entries.slice(0, 4));
      await second.log.append(entries[4]);
      await second.log.close();
      expect(await entriesOf({ open })).toEqual(entries);
    });

    test("an entry out of its place is refused by name, and nothing more is taken: a hole is no chain", async () => {
      const { open } = await place();
      const entries = chainOf(3);
      const { log } = await open();
      await log.append(entries[0]);
      await expect(log.append(entries[2])).rejects.toThrow(LogConflictError);
      await expect(log.append(entries[1])).rejects.toThrow(LogConflictError);
      await log.close();
      expect(await entriesOf({ open })).toEqual(entries.slice(0, 1));
    });

    test("after it is closed it takes nothing", async () => {
      const { open } = await place();
      const { log } = await open();
      await log.close();
      await expect(log.append(chainOf(1)[0])).rejects.toThrow();
      expect(await entriesOf({ open })).toEqual([]);
    });

    test("another host's log is refused", async () => {
      const { open } = await place();
      const { log } = await open();
      await log.append(chainOf(1)[0]);
      await log.close();
      await expect(open(identityFrom(new Uint8Array(32)).volunteer)).rejects.toThrow(/not signed by the host/);
    });

    if (shared)
      test("of two that append to one place the second is refused, and its entry is nowhere", async () => {
        const { open } = await place();
        const [mine, theirs] = [chainOf(3), chainOf(3, 100)];
        const [one, other] = [await open(), await open()];
        await one.log.append(mine[0]);
        await expect(other.log.append(theirs[0])).rejects.toThrow(LogConflictError);
        await expect(other.log.append(theirs[1])).rejects.toThrow(LogConflictError);
        await one.log.append(mine[1]);
        expect(await entriesOf({ open })).toEqual(mine.slice(0, 2));
        for (const { log } of [one, other]) await log.close();
      });
  });
}

const streamOf = (bytes: Uint8Array, chunk: number) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) => bytes.subarray(i * chunk, (i + 1) * chunk)),
  );

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}

/** toEqual takes seconds for so many bytes. */
const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;

/** Beside blobStoreContract. */
export function hostBlobsContract(kind: string, open: () => Promise<HostBlobs>): void {
  describe(`a host's blobs: ${kind}`, () => {
    const blob = new Uint8Array(PIECE_BYTES + 1000).map((_, i) => i % 251);

    test.each([0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])(
      "%i bytes in chunks of any size have the name that wire gives them",
      async (bytes) => {
        const store = await open();
        const part = new Uint8Array(bytes).fill(7);
        expect(await store.receive(blobName(part), streamOf(part, 65_537), bytes)).toBe(bytes);
        expect(same(await store.get(blobName(part)), part)).toBe(true);
        expect(await store.bytes(blobName(part))).toBe(bytes);
      },
    );

    test("too many bytes and a wrong name are refused, and leave nothing behind", async () => {
      const store = await open();
      const name = blobName(blob);
      await expect(store.receive(name, streamOf(blob, 1000), blob.length - 1)).rejects.toThrow(/at most/);
      const other = blobName(Uint8Array.of(1));
      await expect(store.receive(other, streamOf(blob, 1000), blob.length)).rejects.toThrow(BlobRefused);
      expect(await store.names()).toEqual([]);
      expect(await store.bytes(name)).toBeUndefined();
    });

    test("a stream that breaks off leaves nothing behind", async () => {
      const store = await open();
      async function* broken() {
        yield blob.subarray(0, 1000);
        throw new Error("connection lost");
      }
      await expect(store.receive(blobName(blob), broken(), blob.length)).rejects.toThrow("connection lost");
      expect(await store.names()).toEqual([]);
    });

    test("a part, the piece list, and small ones at once", async () => {
      const store = await open();
      const name = blobName(blob);
      await store.put(name, blob);
      expect(same(await joined(store.read(name, 10, PIECE_BYTES + 9)), blob.slice(10, PIECE_BYTES + 10))).toBe(true);
      expect(await store.pieceList(name)).toEqual(encodePieceList(blob));
      expect(same(store.getNow(name), blob)).toBe(true);
      expect(store.getNow("0".repeat(64))).toBeUndefined();
      await expect(joined(store.read("0".repeat(64), 0, 1))).rejects.toThrow();
    });

    test("a name never becomes a path", async () => {
      const store = await open();
      await expect(store.get("../../host.key")).rejects.toThrow(/no blob name/);
    });
  });
}
