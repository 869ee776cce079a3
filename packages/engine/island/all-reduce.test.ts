import { describe, expect, test } from "vitest";
import { decodeShard, encodeShard, shardFrom, shardWordsOf } from "../reference/shard.ts";
import { normals, prng } from "../reference/testing.ts";
import { relativeError } from "../reference/vector.ts";
import { allReduce, shardsOf } from "./all-reduce.ts";
import { Lanes } from "./lanes.ts";
import { IslandLostError, islandPorts } from "./port.ts";

const NUMBERS = 7 * 64;
const forms = ["direct", "reduce-scatter", "star"] as const;

const partsOf = (ranks: number): Float32Array<ArrayBuffer>[] => {
  const random = prng(ranks);
  return Array.from({ length: ranks }, () => Float32Array.from(normals(random, NUMBERS)));
};
const bytesOf = ({ buffer }: { readonly buffer: ArrayBuffer }) => new Uint8Array(buffer);

describe.each([2, 3, 4])("%i ranks", (ranks) => {
  const parts = partsOf(ranks);
  const truth = Float64Array.from({ length: NUMBERS }, (_, i) => parts.reduce((sum, part) => sum + part[i], 0));
  const lanes = () => islandPorts(ranks).map((port) => new Lanes(port).lane(0));

  test.each(forms)("f32, %s: everybody has the same sum, bit for bit", async (form) => {
    const own = (rank: number) => bytesOf(parts[rank].slice());
    const sums = await Promise.all(
      lanes().map((lane) => allReduce(lane, { exchange: "f32", form }, own(lane.rank), NUMBERS)),
    );
    for (const sum of sums) expect(sum).toEqual(sums[0]);
    expect(relativeError(new Float32Array(sums[0].buffer), truth)).toBeLessThan(1e-7);
  });

  test.each(forms)("int8, %s: everybody has the same codes, and they say the sum", async (form) => {
    const own = (rank: number) => bytesOf(shardWordsOf(encodeShard(parts[rank])));
    const results = await Promise.all(
      lanes().map((lane) => allReduce(lane, { exchange: "int8", form }, own(lane.rank), NUMBERS)),
    );
    for (const result of results) expect(result).toEqual(results[0]);
    const count = shardsOf({ form }, ranks);
    const words = new Uint32Array(results[0].buffer);
    expect(words.length % count).toBe(0);
    const sum = new Float64Array(NUMBERS);
    for (let s = 0; s < count; s++) {
      const shard = shardFrom(words.subarray((s * words.length) / count, ((s + 1) * words.length) / count), NUMBERS);
      decodeShard(shard).forEach((x, i) => {
        sum[i] += x;
      });
    }
    expect(relativeError(sum, truth)).toBeLessThan(2e-2);
  });
});

test("lanes do not wait for each other, and keep their own order", async () => {
  const [a, b] = islandPorts(2).map((port) => new Lanes(port));
  const say = (lane: number, text: string) => a.lane(lane).send(1, new TextEncoder().encode(text));
  const hear = async (lane: number) => new TextDecoder().decode(await b.lane(lane).receive(0));
  const second = hear(2);
  say(1, "one");
  say(1, "two");
  say(2, "other");
  expect(await second).toBe("other");
  expect([await hear(1), await hear(1)]).toEqual(["one", "two"]);
});

test("an island that ends rejects what waits and what is asked later, in every lane", async () => {
  const ports = islandPorts(3);
  const lanes = ports.map((port) => new Lanes(port));
  const waiting = allReduce(lanes[0].lane(1), { exchange: "f32", form: "direct" }, bytesOf(new Float32Array(64)), 64);
  const heard = expect(waiting).rejects.toThrow(new IslandLostError("a tab was closed"));
  ports[2].end("a tab was closed");
  await heard;
  await expect(lanes[1].lane(5).receive(0)).rejects.toBeInstanceOf(IslandLostError);
});

test("a line with a shape takes its time, and keeps the order of what one member sends", async () => {
  const shape = { latencyMs: 20, bytesPerSecond: 1e6 };
  const [a, b] = islandPorts(2, shape);
  const started = performance.now();
  a.send(1, new Uint8Array(20_000).fill(1));
  a.send(1, new Uint8Array(10).fill(2));
  const [first, second] = [await b.receive(0), await b.receive(0)];
  expect([first[0], second[0]]).toEqual([1, 2]);
  expect(performance.now() - started).toBeGreaterThanOrEqual(39);
});

test.each(forms)("%s: a part or a sum of another length ends it, and says whose it was", async (form) => {
  const [first, second] = islandPorts(2);
  second.send(0, Uint8Array.of(0, 0, 0, 0, 7)); // lane 0
  const own = bytesOf(new Float32Array(NUMBERS));
  const summing = allReduce(new Lanes(first).lane(0), { exchange: "f32", form }, own, NUMBERS);
  await expect(summing).rejects.toThrow(/member 1 sent 1 bytes where \d+ belong/);
});
