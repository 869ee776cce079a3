// Folders that Hugging Face's own library wrote (golden/make.py) are read to the logits that it computes of them; what is wrong with a folder is named.
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { logitsOf } from "#engine/reference";
import { parameterTable } from "#outer";
import { readLlama } from "./disk.ts";
import { modelFromConfig } from "./llama-config.ts";
import { openSafetensors, safetensorsHeader } from "./safetensors.ts";
import { FormatError, sourceOf } from "./source.ts";

const golden = join(import.meta.dirname, "golden");
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gossamer-formats-"));
});
afterEach(() => rm(folder, { recursive: true }));

const given = async (name: string): Promise<string> => {
  await cp(join(golden, name), folder, { recursive: true });
  return folder;
};
const edit = async (name: string, change: (text: string) => string): Promise<void> => {
  const path = join(folder, name);
  await writeFile(path, change(await readFile(path, "utf8")));
};
const configWith = (change: object) =>
  edit("config.json", (text) => JSON.stringify({ ...JSON.parse(text), ...change }));
/** The message, which is a FormatError's. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error("was taken"),
    (error: Error) => error,
  );
  expect(error).toBeInstanceOf(FormatError);
  return error.message;
}

describe.each(["sharded-bf16", "single-f32", "single-f16"])("%s", (name) => {
  test("gives transformers' logits", async () => {
    const { ids, logits } = JSON.parse(await readFile(join(golden, name, "golden.json"), "utf8"));
    const { model, parameters, config } = await readLlama(join(golden, name));
    expect(config.model_type).toBe("llama");
    expect(parameters.length).toBe(parameterTable(model).length);
    const ours = logitsOf(model, Float64Array.from(parameters), ids);
    const off = (logits as number[][]).flat().map((value, i) => Math.abs(value - ours[i]));
    expect(Math.max(...off)).toBeLessThan(5e-6); // transformers computes in f32 and its logits are about 1
  });

  test("cut anywhere, it is refused by the file's name", async () => {
    const file = name === "sharded-bf16" ? "model-00002-of-00002.safetensors" : "model.safetensors";
    const { length } = await readFile(join(golden, name, file));
    await given(name);
    for (const bytes of [length - 1, Math.floor(length / 2), 100, 8, 7, 0]) {
      await truncate(join(folder, file), bytes);
      const said = await refusal(readLlama(folder));
      expect(said).toContain(file);
      expect(said).toContain("fetch it again");
    }
  });
});

test("files, index and config.json that do not belong together are told apart", async () => {
  await given("sharded-bf16");
  await rm(join(folder, "model-00002-of-00002.safetensors"));
  expect(await refusal(readLlama(folder))).toMatch(
    /There is no .*model-00002-of-00002.safetensors, which .*index.json names/,
  );
  await given("sharded-bf16");
  await cp(join(folder, "model-00001-of-00002.safetensors"), join(folder, "model-00002-of-00002.safetensors"));
  expect(await refusal(readLlama(folder))).toMatch(/index.json says that lm_head.weight is in .*where it is not/);
  await given("sharded-bf16");
  await edit("model.safetensors.index.json", (text) => text.replaceAll("model-00001", "../model-00001"));
  expect(await refusal(readLlama(folder))).toContain('"../model-00001-of-00002.safetensors"; weights lie beside it');
  await given("sharded-bf16");
  await configWith({ intermediate_size: 24 });
  expect(await refusal(readLlama(folder))).toMatch(
    /mlp.down_proj.weight has the shape \[16,20\], by config.json it would be \[16,24\]/,
  );
  await configWith({ intermediate_size: 20, num_hidden_layers: 3 });
  expect(await refusal(readLlama(folder))).toContain("there is no tensor model.layers.2.input_layernorm.weight");
  await configWith({ num_hidden_layers: 1 });
  expect(await refusal(readLlama(folder))).toContain("which a Llama of this config.json has not");
  await configWith({ num_hidden_layers: 2, tie_word_embeddings: true });
  expect(await refusal(readLlama(folder))).toContain("lm_head.weight is another matrix than the embedding");
});

test("a head that should be there is missed, a folder without weights or config is named", async () => {
  await given("single-f32");
  await configWith({ tie_word_embeddings: false });
  expect(await refusal(readLlama(folder))).toContain("config.json must say tie_word_embeddings: true");
  await rm(join(folder, "model.safetensors"));
  expect(await refusal(readLlama(folder))).toContain("older .bin files can be converted");
  await writeFile(join(folder, "config.json"), "{");
  expect(await refusal(readLlama(folder))).toContain("is not JSON");
  await rm(join(folder, "config.json"));
  expect(await refusal(readLlama(folder))).toContain("has config.json beside its .safetensors files");
});

test("values that are no numbers, and other types than f32, f16 and bf16, are refused by the tensor's name", async () => {
  await given("single-f32");
  const path = join(folder, "model.safetensors");
  const bytes = await readFile(path);
  const { tensors } = await openSafetensors(sourceOf("x", bytes));
  bytes.writeFloatLE(Number.NaN, tensors.get("model.norm.weight")!.at + 8);
  await writeFile(path, bytes);
  expect(await refusal(readLlama(folder))).toContain("model.norm.weight holds NaN at place 2");
  const text = bytes.toString("latin1").replaceAll('"F32"', '"I32"');
  await writeFile(path, Buffer.from(text, "latin1"));
  expect(await refusal(readLlama(folder))).toContain("is of type I32; F32, F16, BF16 are read");
});

test("config.json: what is not run here is refused by its key, and a key that is absent is transformers' default", async () => {
  const config = JSON.parse(await readFile(join(golden, "single-f32", "config.json"), "utf8"));
  const said = (change: object): string => {
    try {
      modelFromConfig({ ...config, ...change });
    } catch (error) {
      return (error as FormatError).message;
    }
    return "taken";
  };
  expect(said({ sliding_window: null, head_dim: undefined, rope_scaling: null, architectures: undefined })).toBe(
    "taken",
  );
  const refused: Record<string, unknown> = {
    model_type: "gemma",
    architectures: ["LlamaForSequenceClassification"],
    attention_bias: true,
    mlp_bias: true,
    hidden_act: "gelu",
    attention_dropout: 0.1,
    sliding_window: 4096,
    head_dim: 8,
    rope_scaling: { type: "linear", factor: 2 },
    rope_parameters: { rope_type: "llama3", rope_theta: 5e5, factor: 8 },
    quantization_config: { quant_method: "gptq" },
    rope_interleaved: true,
    pretraining_tp: 2,
    vocab_size: 128_256,
    num_attention_heads: 3,
    num_key_value_heads: 3,
    hidden_size: 18.5,
    rms_norm_eps: 0,
  };
  for (const [key, value] of Object.entries(refused)) {
    const [words] = { num_key_value_heads: ["kvHeads"], rms_norm_eps: ["normEps"] }[key] ?? [key];
    expect(said({ [key]: value })).toContain(words);
  }
  const { rope_parameters, ...older } = config;
  expect(modelFromConfig({ ...older, rope_theta: 700 }).ropeTheta).toBe(700);
  expect(modelFromConfig({ ...older, num_key_value_heads: undefined })).toMatchObject({
    ropeTheta: 10_000,
    kvHeads: 4,
  });
  expect(modelFromConfig(config, { contextLength: 8 }).contextLength).toBe(8);
  expect(() => modelFromConfig(config, { contextLength: 64 })).toThrow("contextLength, 64, must not be longer");
  expect(modelFromConfig({ ...config, max_position_embeddings: 131_072 }).contextLength).toBe(32_768);
});

test("a lying header is refused: overlaps, gaps, sizes, types, lengths beyond all reason", async () => {
  const file = (header: object, data: number): Promise<unknown> => {
    const text = new TextEncoder().encode(JSON.stringify(header));
    const bytes = new Uint8Array(8 + text.length + data);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return openSafetensors(sourceOf("x.safetensors", bytes));
  };
  const tensor = (from: number, to: number, shape = [(to - from) / 4], dtype = "F32") => ({
    dtype,
    shape,
    data_offsets: [from, to],
  });
  expect(await file({ a: tensor(0, 8), b: tensor(8, 12), none: tensor(8, 8) }, 12)).toBeDefined();
  expect(await refusal(file({ a: tensor(0, 8), b: tensor(4, 12) }, 12))).toContain("tensor b overlaps");
  expect(await refusal(file({ a: tensor(0, 4), b: tensor(8, 12) }, 12))).toContain("tensor b leaves a gap");
  expect(await refusal(file({ a: tensor(0, 8) }, 12))).toContain("its header tells of");
  expect(await refusal(file({ a: tensor(0, 8, [3]) }, 8))).toContain("has 8 bytes, but [3] of F32 takes 12");
  expect(await refusal(file({ a: tensor(0, 8, [2], "Q4") }, 8))).toContain('of the unknown type "Q4"');
  expect(await refusal(file({ a: tensor(0, 8, [-2]) }, 8))).toContain("the shape [-2]");
  expect(await refusal(file({ a: tensor(8, 0, [2]) }, 8))).toContain("the offsets [8,0]");
  expect(await refusal(file({ a: null }, 8))).toContain("unknown type");
  expect(await refusal(file([], 0))).toContain("no JSON object");
  expect(await refusal(file({ __metadata__: { a: 1 } }, 0))).toContain("not a list of texts");
  const huge = new Uint8Array(16).fill(0xff);
  expect(await refusal(openSafetensors(sourceOf("x", huge)))).toContain("100000000 is the format's limit");
});

test("what is written is read: header, types, places", async () => {
  const tensors = [
    { name: "a", dtype: "F32", shape: [3, 2] },
    { name: "ü", dtype: "BF16", shape: [5] },
  ];
  const header = safetensorsHeader(tensors, { format: "pt" });
  const content = new Uint8Array(header.length + 34);
  content.set(header);
  const file = await openSafetensors(sourceOf("x", content));
  expect(file.metadata).toEqual({ format: "pt" });
  expect([...file.tensors.values()].map(({ name, at, bytes }) => [name, at - header.length, bytes])).toEqual([
    ["a", 0, 24],
    ["ü", 24, 10],
  ]);
  expect(header.length % 8).toBe(0);
});
