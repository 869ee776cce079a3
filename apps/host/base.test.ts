// A run that starts from existing weights: what the host reads, stores and names, and what it tells an operator whose weights will not do.
import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { anchorHashOf, baseBlobs, baseHashOf, genesisAdapters, genesisParameters, genesisState } from "#outer";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import { trainByteLevelBpe } from "#tokenizer/train";
import { blobName, type RunDraft } from "#wire";
import { loadDraft, makeSpec } from "./load-run.ts";
import { writeBase } from "./test-base.ts";
import { freshFolder, tinyDraft, writeRun } from "./test-given.ts";
import { readBase, wholeModel } from "./whole-model.ts";
import { Witness } from "./witness.ts";

const { model } = tinyDraft();
const weights = genesisParameters(model, 99);
const base = { path: "./weights", source: "a test", licence: "CC0-1.0" };
const lora = { rank: 2, alpha: 4, targets: ["q" as const, "down" as const] };
const draft = tinyDraft({ version: 5, base });
const adapting = tinyDraft({ version: 5, base, lora });

/** Makes the draft's spec in a fresh folder. */
async function made(given: unknown, prepare: (folder: string) => Promise<void> = async () => {}) {
  const folder = await freshFolder();
  await writeBase(join(folder, "weights"), model, weights);
  const run = await writeRun(folder, given as RunDraft);
  await prepare(folder);
  const data = await openDataFolder(join(folder, "data"));
  const blobs = await DiskBlobStore.open(data.path);
  try {
    return { spec: await makeSpec(await loadDraft(run, folder), "0".repeat(64), data, blobs), blobs, folder };
  } finally {
    await data.close();
  }
}

test("the base's blobs are stored once, named in the spec, and come back as they were", async () => {
  const { spec, blobs } = await made(adapting);
  expect(spec.base).toMatchObject({ source: "a test", licence: "CC0-1.0", hash: baseHashOf(baseBlobs(weights)) });
  expect(await readBase(spec, blobs)).toEqual(weights);
  const adapters = genesisAdapters(model, lora, spec.seed);
  expect(await wholeModel(spec, blobs, adapters)).toEqual(weights); // B is zero
});

test("without lora the witness begins with the base; with it, with adapters, and needs none", async () => {
  const { spec, blobs } = await made(draft);
  const { genesisHash } = await new Witness(spec, blobs).start([]);
  expect(genesisHash).toBe(anchorHashOf(genesisState(spec, weights)));
  const { spec: adapted, blobs: others } = await made(adapting);
  const hash = anchorHashOf(genesisState(adapted));
  for (const { hash } of adapted.base!.blobs) await others.delete(hash);
  expect((await new Witness(adapted, others).start([])).genesisHash).toBe(hash);
  await expect(readBase(adapted, others)).rejects.toThrow(/^base: blob 1 of 1 .* is not here/);
});

test("a base whose blob is gone or damaged stops the host by name, before anything is computed with it", async () => {
  const { spec, blobs } = await made(draft);
  const [{ hash }] = spec.base!.blobs;
  await blobs.delete(hash);
  await expect(new Witness(spec, blobs).start([])).rejects.toThrow(/^base: blob 1 of 1 .* is not here/);
  const damaged = { get: async () => new Uint8Array(spec.base!.blobs[0].bytes) };
  await expect(readBase(spec, damaged)).rejects.toThrow(/is not what its name says/);
});

test("a draft may leave the model out: it is the base's own, its context too", async () => {
  const { model: _, ...rest } = draft;
  const { spec } = await made(rest);
  expect(spec.model).toEqual(model);
});

test("a run may see less context than its base, and retrain it with another residual stream", async () => {
  const { spec } = await made({ ...draft, version: 6, model: { ...model, contextLength: 4, residual: "ladder" } });
  expect(spec.model).toEqual({ ...model, contextLength: 4, residual: "ladder" });
});

describe("what will not do is told with its remedy, and nothing of it is stored", () => {
  const file = (folder: string) => join(folder, "weights", "model.safetensors");
  const edit = (change: object) => async (folder: string) => {
    const path = join(folder, "weights", "config.json");
    await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...change }));
  };
  test.each<[string, unknown, (folder: string) => Promise<void>, RegExp]>([
    [
      "no folder",
      draft,
      (folder) => rm(join(folder, "weights"), { recursive: true }),
      /^base: There is no .*config\.json/,
    ],
    ["a cut file", draft, (folder) => truncate(file(folder), 5000), /^base: .*model\.safetensors.*fetch it again/],
    [
      "another dtype",
      draft,
      async (folder) =>
        writeFile(
          file(folder),
          (await readFile(file(folder))).toString("latin1").replaceAll('"F32"', '"I32"'),
          "latin1",
        ),
      /^base: .*model\.safetensors.*I32/,
    ],
    [
      "another width",
      { ...draft, model: { ...model, dModel: 12 } },
      async () => {},
      /^model\.dModel is 12, but the base's config\.json in \.\/weights says 8\. Make them equal, or leave model out/,
    ],
    [
      "a longer context",
      { ...draft, model: { ...model, contextLength: 16 } },
      async () => {},
      /^base: .*max_position_embeddings is 8\..*16/,
    ],
    ["a bias", draft, edit({ attention_bias: true }), /^base: .*attention_bias is true/],
    [
      "a model of its own kind",
      { ...draft, model: undefined },
      edit({ model_type: "gpt2" }),
      /^base: .*gives no model: .*model_type/,
    ],
  ])("%s", async (_, given, prepare, message) => {
    let where = "";
    const told = await made(given, (folder) => {
      where = folder;
      return prepare(folder);
    }).then(
      () => "accepted",
      (error: Error) => {
        expect(error.name).toBe("SpecError");
        return error.message;
      },
    );
    expect(told).toMatch(message);
    const stored = await DiskBlobStore.open(join(where, "data")).then(
      async (blobs) => (await blobs.names()).length,
      () => 0,
    );
    expect(stored).toBe(0);
  });
});

test("a base's own tokenizer is taken where the draft names none, and another one is refused", async () => {
  const { json, vocabSize } = trainByteLevelBpe(new Map([["stormy", 9], ["dark", 5]]), 300); // biome-ignore format: a table
  const trained = Buffer.from(json);
  const wide = { ...model, vocabSize };
  const beside = async (folder: string) => {
    await writeBase(join(folder, "weights"), wide, genesisParameters(wide, 1));
    await writeFile(join(folder, "weights", "tokenizer.json"), trained);
    await writeFile(join(folder, "other.json"), Buffer.concat([trained, Buffer.from("\n")]));
  };
  const { corpus } = draft;
  const given = { ...draft, model: undefined };
  const { spec } = await made(given, beside);
  expect(spec.data.tokenizer).toMatchObject({ hash: blobName(trained), vocabSize });
  const told = (tokenizer: unknown) => expect(made({ ...given, corpus: { ...corpus, tokenizer } }, beside)).rejects;
  await told("bytes").toThrow(
    /^corpus\.tokenizer is "bytes", but the base in \.\/weights has \d+ tokens: .* Leave it out: .*weights\/tokenizer\.json, is taken/,
  );
  await told({ kind: "train", vocabSize: 300 }).toThrow(/^corpus\.tokenizer is to be trained here: /);
  await told({ kind: "file", path: "./other.json" }).toThrow(
    /^corpus\.tokenizer is \.\/other\.json, which is not the one/,
  );
});

test("a tokenizer whose ids the base has no place for is told", async () => {
  const small = { ...model, vocabSize: 100 };
  const told = made({ ...draft, model: small }, (folder) =>
    writeBase(join(folder, "weights"), small, genesisParameters(small, 1)),
  );
  await expect(told).rejects.toThrow(/^model\.vocabSize: .*256/);
});
