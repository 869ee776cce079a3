import { expect, test, vi } from "vitest";
import { anchorHashOf, BaseError, baseBlobs, baseHashOf, genesisParameters, genesisState } from "#outer";
import { MemoryBlobStore } from "#store";
import { blobName, type RunSpec } from "#wire";
import { loadRunBase } from "./base.ts";
import { BlobShelf } from "./blob-shelf.ts";
import { FoldService } from "./fold-service.ts";
import { spec as plain } from "./test-given.ts";

const flat = genesisParameters(plain.model, 77);
const blobs = [...baseBlobs(flat, 300)];
const refs = blobs.map((bytes) => ({ hash: blobName(bytes), bytes: bytes.length }));
const spec: RunSpec = {
  ...plain,
  version: 5,
  base: { source: "a test", licence: "CC0-1.0", hash: baseHashOf(blobs), blobs: refs },
};

function setUp(stored: readonly (readonly [string, Uint8Array])[] = []) {
  const store = new MemoryBlobStore();
  const shelf = new BlobShelf(store, () => {});
  const served = new Map<string, Uint8Array>(refs.map(({ hash }, i) => [hash, blobs[i]]));
  const fetch = vi.fn(async (name: string) => served.get(name)!);
  const ready = Promise.all(stored.map(([name, bytes]) => store.put(name, bytes)));
  return { shelf, served, fetch, store, ready };
}

test("a base is fetched once, kept, and said how far", async () => {
  const { shelf, fetch } = setUp();
  const progress: number[] = [];
  expect(await loadRunBase(spec, { shelf, fetch }, (bytes) => progress.push(bytes))).toEqual(flat);
  expect(fetch.mock.calls.map(([name]) => name)).toEqual(refs.map(({ hash }) => hash));
  expect(progress.at(-1)).toBe(4 * flat.length);
  expect(await loadRunBase(spec, { shelf, fetch })).toEqual(flat);
  expect(fetch).toHaveBeenCalledTimes(refs.length); // from the store this time
});

test("what is damaged in the store comes again; what others send for a base is refused by name", async () => {
  const { shelf, fetch, store, served, ready } = setUp([[refs[1].hash, new Uint8Array(refs[1].bytes)]]);
  await ready;
  expect(await loadRunBase(spec, { shelf, fetch })).toEqual(flat);
  expect(await store.get(refs[1].hash)).toEqual(blobs[1]);
  await store.delete(refs[0].hash);
  served.set(refs[0].hash, new Uint8Array(refs[0].bytes));
  await expect(loadRunBase(spec, { shelf, fetch })).rejects.toThrow(/^base: blob 1 of \d+ \(.*not what its name says/);
  const short = { ...spec, base: { ...spec.base!, blobs: refs.slice(1) } };
  await expect(loadRunBase(short, { shelf, fetch })).rejects.toThrow(BaseError);
});

test("the fold worker begins a run of that kind with its base, and arrives at everybody's genesis", async () => {
  const service = new FoldService();
  service.begin(spec);
  const { anchorHash, local } = await service.restore(0, [], flat);
  expect(local).toEqual(flat);
  expect(anchorHash).toBe(anchorHashOf(genesisState(spec, flat)));
  await expect(service.restore(0, [])).rejects.toThrow(/starts from its base/);
});
