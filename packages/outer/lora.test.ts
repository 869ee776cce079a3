import { expect, test } from "vitest";
import { blobName, type LoraShape, type RunSpec, specSchema } from "#wire";
import {
  adaptersOf,
  adapterTable,
  anchorHashOf,
  BaseError,
  baseBlobs,
  baseHashOf,
  codecOf,
  encodeCheckpointSection,
  fragmentsOf,
  genesisParameters,
  genesisState,
  loadBase,
  mergeAdapters,
  mergeRange,
  parameterTable,
  sectionsOf,
  sharedTable,
  stateFrom,
} from "./index.ts";
import { tinySpec } from "./test-given.ts";

const lora: LoraShape = { rank: 2, alpha: 4, targets: ["q", "v", "down"] };
const flat = genesisParameters(tinySpec().model, 9);

function refOf(parameters: Float32Array) {
  const blobs = [...baseBlobs(parameters, 100)];
  const refs = blobs.map((bytes) => ({ hash: blobName(bytes), bytes: bytes.length }));
  const byName = new Map(refs.map(({ hash }, i) => [hash, blobs[i] as Uint8Array]));
  return { byName, base: { source: "a test", licence: "CC0-1.0", hash: baseHashOf(blobs), blobs: refs } };
}

function adapted(change: Partial<RunSpec> = {}): RunSpec {
  return { ...tinySpec(), version: 5, base: refOf(flat).base, lora, ...change };
}

test("the adapters' table has PEFT's names, in order and without gaps", () => {
  const { tensors, length } = adapterTable(tinySpec().model, lora);
  expect(tensors.map(({ name, shape }) => `${name} ${shape.join("x")}`)).toEqual([
    "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight 2x12",
    "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight 8x2",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight 2x8",
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight 8x2",
    "base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight 2x8",
    "base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight 4x2",
  ]);
  expect(length).toBe(24 + 16 + 16 + 16 + 16 + 8);
  const places = adaptersOf(tinySpec().model, lora).map(({ target, out, in: into }) => [target, out, into]);
  expect(places).toEqual([["q", 8, 8], ["v", 4, 8], ["down", 8, 12]]); // biome-ignore format: a table
});

test("what peers share, exchange and hash are the adapters alone", () => {
  const spec = adapted();
  expect(specSchema.safeParse(spec).error).toBeUndefined();
  const { length } = adapterTable(spec.model, lora);
  expect(sharedTable(spec).length).toBe(length);
  expect(codecOf(spec).at(0).length).toBe(length);
  const state = genesisState(spec); // no base is needed
  expect(state.parameters.length).toBe(length);
  const sections = sectionsOf(state).map(({ name, values }) => encodeCheckpointSection(name, 3, values));
  const restored = stateFrom(spec, 3, sections);
  if (typeof restored === "string") throw new Error(restored);
  expect(anchorHashOf(restored)).toBe(anchorHashOf(state));
});

test("genesis of adapters: A by the seed with variance 1 / (3 in), B zero, so that the merged model is the base", () => {
  const wide = { ...tinySpec().model, dModel: 256, heads: 4, kvHeads: 4 };
  const spec = adapted({ model: wide, lora: { rank: 16, alpha: 16, targets: ["q"] } });
  const { parameters } = genesisState(spec);
  const [a, b] = adapterTable(wide, spec.lora!).tensors;
  const values = parameters.subarray(a.offset, a.offset + a.length);
  const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
  expect(variance * 3 * 256).toBeCloseTo(1, 1);
  expect(parameters.subarray(b.offset, b.offset + b.length).every((x) => x === 0)).toBe(true);
  expect(genesisState({ ...spec, seed: 2 }).parameters).not.toEqual(parameters);
  const base = genesisParameters(wide, 4);
  expect(mergeAdapters(wide, spec.lora!, base, parameters)).toEqual(base);
});

test("merged in parts, wherever they are cut, it has the bits of the whole", () => {
  const { model } = tinySpec();
  const adapters = Float32Array.from({ length: adapterTable(model, lora).length }, (_, i) => Math.sin(i));
  const whole = mergeAdapters(model, lora, flat, adapters);
  expect(whole).not.toEqual(flat);
  for (const width of [1, 7, 100, 129]) {
    const parts = flat.slice();
    for (let from = 0; from < flat.length; from += width)
      mergeRange(model, lora, adapters, parts.subarray(from, from + width), from);
    expect(parts).toEqual(whole);
  }
});

test("with fragments a round exchanges the adapters of some layers", () => {
  const model = { ...tinySpec().model, layers: 4 };
  const at = fragmentsOf(adapted({ model, outer: { ...tinySpec().outer, fragments: 2 } }));
  const names = [at(0), at(1)].map(
    ({ table }) => new Set(table.tensors.map(({ name }) => /layers\.(\d)/.exec(name)?.[1])),
  );
  expect(names.map((set) => [...set])).toEqual([["0", "2"], ["1", "3"]]); // biome-ignore format: a table
});

test("a run without lora starts from its base, and from nothing else", () => {
  const { lora: _, ...spec } = adapted();
  expect(genesisState(spec, flat).parameters).toEqual(flat);
  expect(() => genesisState(spec)).toThrow(/starts from its base/);
  expect(parameterTable(spec.model).length).toBe(flat.length);
});

test("a base comes back from its blobs, checked; a missing, damaged or short one is named", async () => {
  const { byName, base } = refOf(flat);
  const { model } = tinySpec();
  const digest = async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const read = async ({ hash }: { hash: string }) => byName.get(hash);
  expect(await loadBase({ model, base }, read)).toEqual(flat);
  expect(await loadBase({ model, base }, read, digest)).toEqual(flat);
  await expect(loadBase({ model, base }, async () => undefined)).rejects.toThrow(/blob 1 of \d+ .* is not here/);
  const short = async (ref: { hash: string }) => (await read(ref))?.subarray(4);
  await expect(loadBase({ model, base }, short)).rejects.toThrow(/blob 1 .* has 396 bytes, the spec says 400/);
  const damaged = async (ref: { hash: string }) => (await read(ref))?.map((byte) => byte ^ 1);
  await expect(loadBase({ model, base }, damaged, digest)).rejects.toThrow(/blob 1 .* not what its name says/);
  const other = { ...base, blobs: base.blobs.slice(1) };
  await expect(loadBase({ model, base: other }, read)).rejects.toThrow(BaseError);
  expect(() => [...baseBlobs(Float32Array.of(1, Number.NaN))]).toThrow(/parameter 1 is NaN/);
});
