import { expect, test } from "vitest";
import { decodeShard } from "#data";
import { blobName } from "#wire";
import { ShardWriter } from "./shard-writer.ts";

test("shards join to what was written, and all but the last are full", async () => {
  const blobs = new Map<string, Uint8Array>();
  const writer = new ShardWriter({ put: async (name, bytes) => void blobs.set(name, bytes) }, "train", 256, 7);
  const written = [[1, 2, 3], [], Array.from({ length: 40 }, (_, i) => i), [5]];
  for (const ids of written) await writer.write(Uint16Array.from(ids));
  const refs = await writer.end();
  expect(refs.flatMap(({ hash }) => [...decodeShard(blobs.get(hash)!).ids])).toEqual(written.flat());
  expect(refs.map(({ tokens }) => tokens)).toEqual([7, 7, 7, 7, 7, 7, 2]);
  for (const { hash, bytes } of refs)
    expect([blobName(blobs.get(hash)!), blobs.get(hash)!.length]).toEqual([hash, bytes]);
  expect(writer.tokens).toBe(44);
});

test("more shards than a spec names are refused, with the setting that helps", async () => {
  const writer = new ShardWriter({ put: async () => {} }, "evaluation", 256, 4);
  await expect(writer.write(new Uint16Array(4 * 257))).rejects.toThrow(
    "the evaluation part has more than 256 shards of 4 tokens, the most that a spec names. Make corpus.evaluationPart smaller",
  );
});
