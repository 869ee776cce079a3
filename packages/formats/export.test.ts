// What is exported is read back by a reader that shares nothing with the writer, and has what transformers' LlamaForCausalLM expects.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { logitsOf } from "#engine/reference";
import { canonicalBytes, identityFrom, type RunSpec, runIdOf, sign, signEntry } from "#wire";
import { byteTokenizer } from "./byte-tokenizer.ts";
import { planExport } from "./export.ts";
import { readLlamaParameters } from "./llama.ts";
import { modelFromConfig } from "./llama-config.ts";
import { checkProvenance, provenanceOf } from "./provenance.ts";
import { openSafetensors } from "./safetensors.ts";
import { readSafetensors } from "./second-readers.ts";
import { FormatError, sourceOf } from "./source.ts";
import { tarOf } from "./tar.ts";
import { floatsOf } from "./tensors-out.ts";
import {
  corpus,
  exported,
  filesOf,
  flat,
  host,
  json,
  model,
  ours,
  provenance,
  row,
  spec,
  whole,
} from "./test-given.ts";

describe.each([
  ["f32", "F32", 0],
  ["f16", "F16", 2 ** -11],
  ["bf16", "BF16", 2 ** -8],
] as const)("safetensors as %s", (type, dtype, relative) => {
  test("has LlamaForCausalLM's names, shapes and values", async () => {
    const { tensors, metadata } = readSafetensors((await filesOf("safetensors", type)).get("model.safetensors")!);
    expect(metadata.format).toBe("pt"); // from_pretrained refuses others
    // Sizes by transformers' modeling_llama.py: V, H = hidden_size, KV = num_key_value_heads · head_dim, I = intermediate_size.
    const [V, H, KV, I] = [256, 32, 16, 44];
    const expected: Record<string, number[]> = {
      "model.embed_tokens.weight": [V, H],
      "model.norm.weight": [H],
      "lm_head.weight": [V, H],
    };
    for (const l of [0, 1])
      for (const [name, shape] of Object.entries({
        "self_attn.q_proj": [H, H],
        "self_attn.k_proj": [KV, H],
        "self_attn.v_proj": [KV, H],
        "self_attn.o_proj": [H, H],
        "mlp.gate_proj": [I, H],
        "mlp.up_proj": [I, H],
        "mlp.down_proj": [H, I],
        input_layernorm: [H],
        post_attention_layernorm: [H],
      }))
        expected[`model.layers.${l}.${name}.weight`] = shape;
    expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))).toEqual(expected);
    for (const [name, tensor] of tensors) {
      expect(tensor.type).toBe(dtype);
      const { values } = ours(name);
      const off = tensor.values.map((value, i) => Math.abs(value - values[i]) - relative * Math.abs(values[i]));
      expect(Math.max(...off), name).toBeLessThanOrEqual(2 ** -25); // f16's smallest step, halved
    }
  });

  test("goes back into a run with the reference's logits", async () => {
    const files = await filesOf("safetensors", type);
    const back = modelFromConfig(json(files, "config.json"));
    expect(back).toEqual(model);
    const file = await openSafetensors(sourceOf("model.safetensors", files.get("model.safetensors")!));
    const parameters = await readLlamaParameters([file], back);
    const ids = [72, 101, 108, 108, 111];
    const [a, b] = [logitsOf(back, Float64Array.from(parameters), ids), logitsOf(model, Float64Array.from(flat), ids)];
    const worst = Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    if (type === "f32") expect(worst).toBe(0);
    else expect(worst).toBeLessThan(relative * 10);
  });
});

test("config.json, tokenizer and card say what transformers and people ask", async () => {
  const files = await filesOf("safetensors", "bf16");
  expect([...files.keys()]).toEqual([
    "model.safetensors",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "README.md",
    "provenance.json",
    "run.json",
  ]);
  expect(json(files, "config.json")).toMatchObject({
    ...{ architectures: ["LlamaForCausalLM"], model_type: "llama", torch_dtype: "bfloat16", hidden_act: "silu" },
    ...{ vocab_size: 256, hidden_size: 32, intermediate_size: 44, num_hidden_layers: 2, num_attention_heads: 4 },
    ...{ num_key_value_heads: 2, head_dim: 8, max_position_embeddings: 16, rms_norm_eps: 1e-5, rope_theta: 10_000 },
    ...{ tie_word_embeddings: false, attention_bias: false, mlp_bias: false, bos_token_id: null, eos_token_id: null },
    rope_parameters: { rope_type: "default", rope_theta: 10_000 },
  });
  expect(json(files, "tokenizer.json").model.vocab).toEqual(byteTokenizer.model.vocab);
  expect(createHash("sha256").update(files.get("run.json")!).digest("hex")).toBe(runIdOf(spec));
  const card = Buffer.from(files.get("README.md")!).toString();
  expect(card).toMatch(/^---\nlicense: cc0-1.0\nlibrary_name: transformers\n/);
  for (const said of [
    runIdOf(spec),
    row.anchorHash,
    corpus.source,
    host.volunteer,
    "model.safetensors, bf16",
    'Läufe "1" \\| x',
  ])
    expect(card).toContain(said);
});

test.each(["safetensors", "gguf"] as const)(
  "what other software would compute wrongly is not exported as %s",
  (format) => {
    const ladder: RunSpec = { ...spec, version: 6, model: { ...model, residual: "ladder" } };
    expect(() => planExport({ ...exported, spec: ladder }, format, "f32")).toThrow(
      /residual "ladder".*take it for a Llama/,
    );
  },
);

test("a run whose text is documents says what it was made of, part by part", async () => {
  const parts = [
    { source: "books | old", licence: "CC0-1.0", documents: 1200, bytes: 5_000_000, tokens: 1_400_000 },
    { source: "letters", licence: "CC-BY-4.0", documents: 7, bytes: 9000, tokens: 2500 },
  ];
  const manifest = new TextEncoder().encode('{"files": []}');
  const data = {
    ...spec.data,
    parts,
    manifest: { hash: "12".repeat(32), bytes: manifest.length },
    evaluationBytes: 1000,
  };
  const entry = {
    type: "eval" as const,
    round: 0,
    anchorHash: row.anchorHash,
    setHash: row.anchorHash,
    loss: 2,
    peer: "host",
  };
  const whole: RunSpec = { ...spec, version: 5, data };
  const log = [signEntry(host, runIdOf(whole), undefined, 0, entry)];
  const given = { spec: whole, provenance: provenanceOf(whole, row, log, () => undefined, host) };
  const files = await filesOf("gguf", "f16", { ...exported, ...given, manifest });
  expect(files.get("data-manifest.json")).toEqual(Buffer.from(manifest));
  const card = Buffer.from(files.get("README.md")!).toString();
  expect(card).toContain(
    "| books \\| old | CC0-1.0 | 1,200 | 5,000,000 | 1,400,000 |\n| letters | CC-BY-4.0 | 7 | 9,000 | 2,500 |",
  );
  expect(card).toContain("12".repeat(32));
  expect(card).toContain("2.0000 nats per token, perplexity 7.389, 1.4427 bits per byte, after round 0"); // 500 tokens of 1,000 bytes
});

test("what cannot be written is refused with the way out", async () => {
  expect(() => planExport(exported, "safetensors", "q8_0")).toThrow(/q8_0 is a type of GGUF/);
  const [weights] = planExport(exported, "safetensors", "f16");
  const large = flat.slice();
  large[5] = 70_000;
  await expect(whole(weights.chunks(floatsOf(large)))).rejects.toThrow(/lm_head.weight .*Export it as bf16 or f32/);
});

test("provenance is the host's word on this run and round, or it is refused", () => {
  expect(checkProvenance(provenance, spec, row)).toEqual(provenance);
  const { signature: _, ...unsigned } = { ...provenance, tokens: 5 };
  const stranger = identityFrom(new Uint8Array(32).fill(2));
  const refused: [unknown, RegExp][] = [
    [{ ...provenance, tokens: 5 }, /not signed by the run's host key/],
    [
      { ...unsigned, signature: sign(stranger, "gossamer provenance v1", unsigned) },
      /not signed by the run's host key/,
    ],
    [{ ...provenance, signature: null }, /not signed/],
    [{ ...provenance, round: 1 }, /another run or round/],
    [{ ...provenance, version: 2 }, /another version/],
  ];
  for (const [document, reason] of refused) {
    expect(() => checkProvenance(document, spec, row)).toThrow(FormatError);
    expect(() => checkProvenance(document, spec, row)).toThrow(reason);
  }
  expect(provenance.run).toBe(createHash("sha256").update(canonicalBytes(spec)).digest("hex"));
});

test("an archive unpacks to the same files", async () => {
  const files = planExport(exported, "safetensors", "f32");
  const archive = tarOf("m", files, 1_700_000_000_000);
  const bytes = await whole(archive.chunks(floatsOf(flat)));
  expect(bytes.length).toBe(archive.bytes);
  const found: string[] = [];
  for (let at = 0; bytes[at] !== 0; ) {
    const size = Number.parseInt(bytes.toString("latin1", at + 124, at + 135), 8);
    const sum = bytes.subarray(at, at + 512).reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte), 0);
    expect(Number.parseInt(bytes.toString("latin1", at + 148, at + 154), 8)).toBe(sum);
    const name = bytes.toString("latin1", at, at + 100).replace(/\0.*$/s, "");
    const content = await whole(files[found.length].chunks(floatsOf(flat)));
    expect(bytes.subarray(at + 512, at + 512 + size).equals(content), name).toBe(true);
    found.push(name);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  expect(found).toEqual(files.map(({ name }) => `m/${name}`));
});
