// A run that trains adapters is exported as a whole model, base and adapters merged: the same from a directory, over a host's API, and computed here.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSafetensors, planAdapters, sourceOf } from "#formats";
import { readLlama } from "#formats/disk";
import { adapterTable, baseBlobs, baseHashOf, decodeCheckpointSection, genesisParameters, mergeAdapters } from "#outer";
import { DiskBlobStore } from "#store/disk";
import { writeBase } from "../../host/test-base.ts";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "../../host/test-given.ts";
import { readBase } from "../../host/whole-model.ts";
import { exportModel } from "./export.ts";

const { model } = tinyDraft();
const weights = genesisParameters(model, 99);
const lora = { rank: 2, alpha: 4, targets: ["k" as const, "gate" as const] };

let data: string;
let host: Awaited<ReturnType<typeof startTestHost>>;

beforeAll(async () => {
  data = await freshFolder();
  await writeBase(join(data, "weights"), model, weights);
  const base = { path: "./weights", source: "weights of a test", licence: "CC-BY-4.0" };
  const checkpoint = { everyRounds: 1, retain: "all" } as const;
  host = await startTestHost({ data, run: await writeRun(data, tinyDraft({ version: 5, base, lora, checkpoint })) });
  const volunteer = await TestVolunteer.join(host.url, 1);
  await volunteer.playCheckpoints(host, 1);
  volunteer.socket.close();
});
afterAll(() => host.close());

test("merged export equals base + adapters, and the base's hash is what it was", async () => {
  const entry = host.run.entries.find(({ type }) => type === "checkpoint")!;
  const blobs = await DiskBlobStore.open(data);
  const ref = entry.type === "checkpoint" && entry.blobs.find(({ name }) => name === "parameters");
  const section = decodeCheckpointSection((await blobs.get(ref ? ref.hash : ""))!);
  if (typeof section === "string") throw new Error(section);
  const merged = mergeAdapters(model, lora, weights, section.values);
  expect(merged).not.toEqual(weights); // the round moved B

  const out = join(await freshFolder(), "model");
  const given = { data, format: "safetensors" as const, dtype: "f32" as const, json: false, out };
  await exportModel(given, () => {}, () => {}); // biome-ignore format: one call
  expect((await readLlama(out)).parameters).toEqual(merged);
  const fetched = join(await freshFolder(), "model");
  await exportModel({ ...given, url: host.url, out: fetched }, () => {}, () => {}); // biome-ignore format: one call
  expect((await readLlama(fetched)).parameters).toEqual(merged);
  const response = await fetch(`${host.url}/api/runs/default/export/model.safetensors?dtype=f32`);
  expect(Buffer.from(await response.arrayBuffer()).equals(await readFile(join(out, "model.safetensors")))).toBe(true);

  const { spec } = host.run;
  expect(spec.base?.hash).toBe(baseHashOf(baseBlobs(weights)));
  expect(baseHashOf(baseBlobs(await readBase(spec, blobs)))).toBe(spec.base?.hash);
  for (const { hash, bytes } of spec.base!.blobs) {
    const served = await fetch(`${host.url}/api/blobs/${hash}`);
    expect((await served.arrayBuffer()).byteLength).toBe(bytes);
  }
});

test("the adapters alone are PEFT's files: its names, shapes and settings; a run without any has none to give", async () => {
  const given = { data, format: "safetensors" as const, dtype: "f16" as const, json: false, adapters: true };
  const out = join(await freshFolder(), "adapters");
  const { files } = await exportModel({ ...given, out }, () => {}, () => {}); // biome-ignore format: one call
  const names = ["adapter_model.safetensors", "adapter_config.json", "provenance.json", "run.json"];
  expect(files.map(({ name }) => name)).toEqual(names);
  const file = await openSafetensors(sourceOf("adapters", await readFile(join(out, names[0]))));
  expect([...file.tensors.values()].map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual(
    adapterTable(model, lora).tensors.map(({ name, shape }) => [name, "F16", shape]),
  );
  expect(JSON.parse(String(await readFile(join(out, names[1]))))).toMatchObject({
    ...{ peft_type: "LORA", task_type: "CAUSAL_LM", r: 2, lora_alpha: 4 },
    ...{ target_modules: ["k_proj", "gate_proj"], base_model_name_or_path: "weights of a test" },
  });
  const gguf = { ...given, format: "gguf" as const, out: join(await freshFolder(), "no") };
  await expect(exportModel(gguf, () => {}, () => {})).rejects.toThrow(/leave --format out/); // biome-ignore format: one call
  const { lora: _, base: __, ...plain } = host.run.spec;
  expect(() => planAdapters(plain, "f32", {})).toThrow(/has no adapters\. Export it without --adapters/);
});

test("an update is of the adapters alone, far smaller than one of all parameters", () => {
  const commit = host.run.entries.find(({ type }) => type === "commit")!;
  const [{ bytes }] = commit.type === "commit" ? commit.contributors : [];
  expect(bytes).toBeLessThan(weights.length / 8);
});
