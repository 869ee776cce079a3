// The training text as a browser keeps it: fetched once, and again where what was kept is damaged.
import { expect, test } from "vitest";
import { encodeShard } from "#data";
import { MemoryBlobStore } from "#store";
import { blobName, presets, type RunSpec } from "#wire";
import { BlobShelf } from "./blob-shelf.ts";
import { loadDataset } from "./dataset.ts";

const ids = Uint16Array.from({ length: 300 }, (_, i) => i % 256);
const shards = [0, 100, 200].map((from) => encodeShard({ vocabSize: 256, ids: ids.subarray(from, from + 100) }));
const refs = shards.map((shard) => ({ hash: blobName(shard), bytes: shard.length, tokens: 100 }));
const spec = { ...presets.nano, data: { train: refs, evaluation: [refs[2]] } } as unknown as RunSpec;

test("a shard is fetched once; one that the store damaged is fetched again, and kept well", async () => {
  const store = new MemoryBlobStore();
  const fetched: string[] = [];
  const fetch = async (name: string) => {
    fetched.push(name);
    return shards[refs.findIndex(({ hash }) => hash === name)];
  };
  const load = async () => {
    fetched.length = 0;
    const shelf = new BlobShelf(store, (error) => expect.unreachable(String(error)));
    const { train } = await loadDataset(
      spec,
      { shelf, fetch },
      () => {},
      (error) => error as Error,
    );
    expect(Array.from(train.windowAt(95, 10))).toEqual([95, 96, 97, 98, 99, 100, 101, 102, 103, 104]);
    return fetched;
  };
  expect([...(await load())].sort()).toEqual(refs.map(({ hash }) => hash).sort());
  expect(await load()).toEqual([]);
  await store.delete(refs[1].hash);
  await store.put(
    refs[1].hash,
    shards[1].map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
  );
  expect(await load()).toEqual([refs[1].hash]);
  expect(await load()).toEqual([]);
});
