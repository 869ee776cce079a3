// What the CPU knows of a replica on a device that may go at any time, with error feedback: trainer.test.ts has it without.
import { expect, test } from "vitest";
import type { Engine } from "#engine";
import { ChunkTopK, type Decoded, int8Block, parameterTable } from "#outer";
import { DeviceReplica } from "./device-replica.ts";
import type { Folded } from "./fold-service.ts";
import { spec } from "./test-given.ts";

const table = parameterTable(spec.model);
const codec = new ChunkTopK(table, { chunk: 1024, k: 16, feedback: 0.9 });
const wave = (size: number, turn: number) =>
  Float32Array.from({ length: table.length }, (_, i) => size * Math.sin(turn * i));
const [anchor, next, encoded] = [wave(1, 3), wave(1, 4), wave(0.01, 5)];
const body = codec.encode(encoded);
const sent = new Float32Array(table.length);
(codec.read(body) as Decoded).addTo(sent, 1, 0, table.length);
const minus = (a: Float32Array, b: Float32Array) => a.map((value, i) => value - b[i]);
const folded: Folded = { anchorHash: "", refused: [], anchor: next, from: undefined };

const options = { ...spec.inner, learningRate: 0.1 };

/** An engine that remembers what it was told. */
function anEngine() {
  const told: Record<string, Float32Array> = {};
  const note = (name: string) => (values: Float32Array) => {
    told[name] = values.slice();
  };
  const unsent = int8Block(table.length, 256).encode(encoded);
  const mark = {
    set: note("set"),
    withdraw: note("withdraw"),
    offer: async () => ({ body, unsent }),
    sealed: async () => undefined,
  };
  const step = async () => ({ loss: 1, gradNorm: 1, skipped: false });
  return { told, engine: { load: note("load"), step, mark } as unknown as Engine };
}

async function offered() {
  const replica = new DeviceReplica(codec);
  replica.restored(anchor);
  const first = anEngine();
  replica.use(first.engine);
  await replica.step(first.engine, [], options);
  await replica.offer().crossed;
  return { replica, first };
}

/** Within int8's rounding of 0.01. */
const near = (is: Float32Array | undefined, should: Float32Array) =>
  expect(Math.max(...should.map((value, i) => Math.abs(value - (is?.[i] ?? Number.NaN))))).toBeLessThan(1e-4);

test("while an offer is in flight another device gets what is unsent, and a mark that has what others decode", async () => {
  const { replica } = await offered();
  const { told, engine } = anEngine();
  replica.use(engine);
  near(told.load, minus(anchor, encoded));
  near(told.set, minus(anchor, sent));
});

test("after a seal that counts it, what was left out of the offer is not lost; after another, none of it", async () => {
  const { replica, first } = await offered();
  await replica.sealed(folded, true);
  expect(first.told.withdraw).toBeUndefined();
  near(replica.known(), minus(next, minus(encoded, sent)));
  const other = await offered();
  await other.replica.sealed(folded, false);
  expect(other.first.told.withdraw).toEqual(anchor);
  near(other.replica.known(), minus(next, encoded));
});
