// What every blob store and every settings store does: one suite for memory, IndexedDB and disk. Imported by tests only.
// What a host keeps beyond that has its own: host-contract.ts.
import { describe, expect, test } from "vitest";
import { type BlobStore, type Settings, StorageError } from "./blob-store.ts";
import { identitySeed, setIdentitySeed } from "./browser.ts";

const nameOf = (digit: string) => digit.repeat(64);
const A = nameOf("a");
const B = nameOf("b");

export function blobStoreContract(kind: string, open: () => Promise<BlobStore>): void {
  describe(`blob store: ${kind}`, () => {
    test("gives back what was put, and undefined for what was not", async () => {
      const store = await open();
      await store.put(A, Uint8Array.of(1, 2, 3));
      expect(await store.get(A)).toEqual(Uint8Array.of(1, 2, 3));
      expect(await store.has(A)).toBe(true);
      expect(await store.get(B)).toBeUndefined();
      expect(await store.has(B)).toBe(false);
    });

    test("keeps its own copy: neither side sees the other's changes", async () => {
      const store = await open();
      const mine = Uint8Array.of(1, 2, 3);
      await store.put(A, mine);
      mine[0] = 9;
      const first = await store.get(A);
      expect(first).toEqual(Uint8Array.of(1, 2, 3));
      first![1] = 9;
      expect(await store.get(A)).toEqual(Uint8Array.of(1, 2, 3));
    });

    test("stores only the view's bytes, not the buffer behind it", async () => {
      const store = await open();
      await store.put(A, new Uint8Array(100).fill(7).subarray(10, 13));
      expect(await store.get(A)).toEqual(Uint8Array.of(7, 7, 7));
      expect(await store.usage()).toEqual({ blobs: 1, bytes: 3 });
    });

    test("counts each name once, and nothing after deletion", async () => {
      const store = await open();
      await store.put(A, new Uint8Array(5));
      await store.put(A, new Uint8Array(5));
      await store.put(B, new Uint8Array(0));
      expect(await store.usage()).toEqual({ blobs: 2, bytes: 5 });
      expect(await store.names()).toEqual([A, B]);
      await store.delete(A);
      await store.delete(A);
      expect(await store.usage()).toEqual({ blobs: 1, bytes: 0 });
      expect(await store.get(A)).toBeUndefined();
    });

    test("several puts at once all arrive", async () => {
      const store = await open();
      await Promise.all(["0", "1", "2", "3"].map((digit) => store.put(nameOf(digit), new Uint8Array(10))));
      expect(await store.usage()).toEqual({ blobs: 4, bytes: 40 });
    });
  });
}

/** A store whose quota is used up by two blobs of 60 bytes. */
export function fullStoreContract(kind: string, open: () => Promise<BlobStore>): void {
  test(`blob store: ${kind}: a put beyond the quota rejects with "full" and keeps what is there`, async () => {
    const store = await open();
    await store.put(A, new Uint8Array(60));
    const error = await store.put(B, new Uint8Array(60)).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StorageError);
    expect((error as StorageError).fault).toBe("full");
    expect(await store.names()).toEqual([A]);
  });
}

export function settingsContract(kind: string, open: () => Promise<Settings>): void {
  describe(`settings: ${kind}`, () => {
    test("set, get, replace", async () => {
      const settings = await open();
      expect(await settings.get("name")).toBeUndefined();
      await settings.set("name", "Ada");
      await settings.set("name", "Grace");
      expect(await settings.get("name")).toBe("Grace");
    });

    test("of two tabs that add at once, both get the first one's value", async () => {
      const settings = await open();
      const addIfAbsent = (value: number) => settings.update("key", (present) => present ?? value);
      const [one, two] = await Promise.all([addIfAbsent(1), addIfAbsent(2)]);
      expect(one).toBe(two);
      expect(await settings.get("key")).toBe(one);
    });

    test("of two tabs that count at once, neither is forgotten", async () => {
      const settings = await open();
      const count = (by: number) => settings.update("sum", (sum) => ((sum as number | undefined) ?? 0) + by);
      await Promise.all([count(1), count(20), count(300)]);
      expect(await settings.get("sum")).toBe(321);
    });

    test("an identity is made once, and a broken one is replaced", async () => {
      const settings = await open();
      const first = await identitySeed(settings, new Uint8Array(32).fill(1));
      expect(await identitySeed(settings, new Uint8Array(32).fill(2))).toEqual(first);
      await settings.set("identity", "broken");
      expect(await identitySeed(settings, new Uint8Array(32).fill(3))).toEqual(new Uint8Array(32).fill(3));
      await setIdentitySeed(settings, new Uint8Array(32).fill(4));
      expect(await identitySeed(settings, new Uint8Array(32).fill(5))).toEqual(new Uint8Array(32).fill(4));
      await expect(setIdentitySeed(settings, new Uint8Array(31))).rejects.toThrow("32 bytes");
    });
  });
}
