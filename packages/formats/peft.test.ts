// Adapters that Hugging Face's PEFT saved (golden/make-peft.py), merged here into their base, give PEFT's logits; and what is written here is laid out as they are.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { logitsOf } from "#engine/reference";
import { adapterTable, mergeAdapters } from "#outer";
import { type LoraShape, presets, type RunSpec } from "#wire";
import { readLlama } from "./disk.ts";
import { planAdapters } from "./peft.ts";
import { openSafetensors } from "./safetensors.ts";
import { sourceOf } from "./source.ts";
import { floatsOf } from "./tensors-out.ts";

const golden = join(import.meta.dirname, "golden", "peft");
const lora: LoraShape = { rank: 3, alpha: 7, targets: ["q", "k", "v", "o", "gate", "up", "down"] };

async function tensorsIn(
  content: Uint8Array,
): Promise<Map<string, { shape: readonly number[]; values: Float32Array }>> {
  const { tensors } = await openSafetensors(sourceOf("adapters", content));
  const valuesOf = (at: number, bytes: number) =>
    new Float32Array(new Uint8Array(content).slice(at, at + bytes).buffer);
  return new Map(
    [...tensors.values()].map(({ name, shape, at, bytes }) => [name, { shape, values: valuesOf(at, bytes) }]),
  );
}

const flatOf = (
  tensors: Awaited<ReturnType<typeof tensorsIn>>,
  table: ReturnType<typeof adapterTable>,
): Float32Array => {
  const flat = new Float32Array(table.length);
  for (const { name, offset } of table.tensors) flat.set(tensors.get(name)!.values, offset);
  return flat;
};

const farthest = (ours: Float64Array, theirs: readonly (readonly number[])[]): number =>
  Math.max(...theirs.flat().map((value, i) => Math.abs(value - ours[i])));

test("merged into its base, PEFT's adapters give PEFT's logits", async () => {
  const { ids, before, logits } = JSON.parse(await readFile(join(golden, "golden.json"), "utf8"));
  const { model, parameters } = await readLlama(join(golden, "base"));
  const tensors = await tensorsIn(await readFile(join(golden, "adapters", "adapter_model.safetensors")));
  const table = adapterTable(model, lora);
  expect([...tensors].map(([name, { shape }]) => [name, shape]).sort()).toEqual(
    table.tensors.map(({ name, shape }) => [name, shape]),
  );
  expect(farthest(logitsOf(model, Float64Array.from(parameters), ids), before)).toBeLessThan(1e-5);
  const merged = mergeAdapters(model, lora, parameters, flatOf(tensors, table));
  expect(farthest(logitsOf(model, Float64Array.from(merged), ids), logits)).toBeLessThan(1e-5);
  expect(farthest(logitsOf(model, Float64Array.from(parameters), ids), logits)).toBeGreaterThan(0.1); // they do something
});

test("what is written here has the same tensors, and PEFT's settings of such adapters", async () => {
  const { model } = await readLlama(join(golden, "base"));
  const theirs = await tensorsIn(await readFile(join(golden, "adapters", "adapter_model.safetensors")));
  const base = { source: "somewhere", licence: "MIT", hash: "", blobs: [] };
  const { corpus: _, ...draft } = presets.nano;
  const spec = { ...draft, model, lora, base } as Partial<RunSpec> as RunSpec;
  const flat = flatOf(theirs, adapterTable(model, lora));
  const [weights, config] = await Promise.all(
    planAdapters(spec, "f32", {}).map(async ({ bytes, chunks }) => {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks(floatsOf(flat))) parts.push(chunk.slice());
      const content = Buffer.concat(parts);
      expect(content.length).toBe(bytes);
      return content;
    }),
  );
  expect(await tensorsIn(weights)).toEqual(new Map([...theirs].sort(([a], [b]) => (a < b ? -1 : 1))));
  const own = JSON.parse(config.toString());
  const saved = JSON.parse(await readFile(join(golden, "adapters", "adapter_config.json"), "utf8"));
  const { target_modules, base_model_name_or_path, ...rest } = own;
  expect(saved).toMatchObject(rest);
  expect([...target_modules].sort()).toEqual([...saved.target_modules].sort());
  expect(base_model_name_or_path).toBe("somewhere");
});
