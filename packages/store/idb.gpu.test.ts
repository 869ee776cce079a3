import { openDB } from "idb";
import { expect, test } from "vitest";
import { forgetBrowserStore, openBrowserStore } from "./browser.ts";
import { blobStoreContract, settingsContract } from "./contract.ts";
import { IDB_VERSION, IdbStore } from "./idb.ts";

let opened = 0;
const freshName = () => `store-test-${performance.timeOrigin}-${opened++}`;

blobStoreContract("idb", () => IdbStore.open(freshName()));
settingsContract("idb", async () => (await IdbStore.open(freshName())).settings);

test("two tabs share blobs", async () => {
  const name = freshName();
  const [one, two] = [await IdbStore.open(name), await IdbStore.open(name)];
  await one.put("a".repeat(64), Uint8Array.of(1));
  expect(await two.get("a".repeat(64))).toEqual(Uint8Array.of(1));
});

test("pruning deletes until few enough bytes are left", async () => {
  const store = await IdbStore.open(freshName());
  for (const digit of ["1", "2", "3"]) await store.put(digit.repeat(64), new Uint8Array(10));
  await store.prune(20);
  expect(await store.usage()).toEqual({ blobs: 2, bytes: 20 });
});

test("a closed database says gone", async () => {
  const store = await IdbStore.open(freshName());
  store.close();
  await expect(store.get("a".repeat(64))).rejects.toMatchObject({ name: "StorageError", fault: "gone" });
});

test("a newer page's database is not touched: memory serves, and the reason is kept", async () => {
  const name = freshName();
  const newer = await openDB(name, IDB_VERSION + 1);
  const store = await openBrowserStore(name);
  expect(store.refused).toMatchObject({ name: "StorageError", fault: "gone" });
  await store.blobs.put("a".repeat(64), Uint8Array.of(1));
  expect(await store.blobs.has("a".repeat(64))).toBe(true);
  newer.close();
});

test("what is forgotten is gone for every tab, and the next one starts anew", async () => {
  const name = freshName();
  const open = await openBrowserStore(name);
  await open.settings.set("name", "Ada");
  await forgetBrowserStore(name);
  await expect(open.settings.get("name")).rejects.toMatchObject({ fault: "gone" });
  expect(await (await openBrowserStore(name)).settings.get("name")).toBeUndefined();
});
