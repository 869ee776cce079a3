// What is exported is read back by readers that share nothing with the writers, and has what transformers' LlamaForCausalLM and llama.cpp expect.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { logitsOf } from "#engine/reference";
import { genesisParameters, parameterTable } from "#outer";
import { letterOfByte } from "#tokenizer";
import { canonicalBytes, identityFrom, presets, type RunSpec, runIdOf, sign, signEntry } from "#wire";
import { byteTokenizer } from "./byte-tokenizer.ts";
import { type ExportedModel, type ExportFormat, type ExportType, planExport } from "./export.ts";
import { vocabularyOf } from "./gguf-vocabulary.ts";
import { readLlamaParameters } from "./llama.ts";
import { modelFromConfig } from "./llama-config.ts";
import { checkProvenance, provenanceOf } from "./provenance.ts";
import { quantizeQ8 } from "./q8.ts";
import { openSafetensors } from "./safetensors.ts";
import { type ReadTensor, readGguf, readSafetensors } from "./second-readers.ts";
import { FormatError, sourceOf } from "./source.ts";
import { tarOf } from "./tar.ts";
import { floatsOf } from "./tensors-out.ts";

const host = identityFrom(new Uint8Array(32).fill(1));
const { corpus, ...draft } = presets.nano;
const shard = { hash: "ab".repeat(32), bytes: 1032, tokens: 500 };
/** Grouped heads, a head of its own, a feed-forward width that is of no whole blocks of 32. */
const spec: RunSpec = {
  ...draft,
  name: 'Läufe "1" | x',
  data: { source: corpus.source, licence: corpus.licence, tokenizer: "bytes", train: [shard], evaluation: [shard] },
  hostKey: host.volunteer,
  model: { ...draft.model, dModel: 32, heads: 4, kvHeads: 2, dFfn: 44, contextLength: 16, tiedEmbedding: false },
};
const { model } = spec;
const flat = genesisParameters(model, 3);
const row = {
  round: 0,
  anchorHash: "cd".repeat(32),
  time: 0,
  blobs: [{ name: "parameters", hash: "ef".repeat(32), bytes: 9 }],
};
const provenance = provenanceOf(spec, row, [], () => undefined, host);
const exported: ExportedModel = { spec, provenance, tokenizer: undefined, endOfText: undefined, manifest: undefined };

async function whole(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
async function filesOf(format: ExportFormat, type: ExportType, given = exported): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const { name, bytes, chunks } of planExport(given, format, type)) {
    const content = await whole(chunks(floatsOf(flat)));
    expect(content.length, name).toBe(bytes);
    files.set(name, content);
  }
  return files;
}
const json = (files: Map<string, Uint8Array>, name: string) => JSON.parse(Buffer.from(files.get(name)!).toString());
const ours = (name: string): ReadTensor => {
  const { shape, offset, length } = parameterTable(model).tensors.find((place) => place.name === name)!;
  return { type: "F32", shape, values: [...flat.subarray(offset, offset + length)] };
};

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

describe.each([
  ["f32", 0],
  ["f16", 1],
  ["bf16", 32],
  ["q8_0", 7],
] as const)("GGUF as %s", (type, fileType) => {
  test("has llama.cpp's keys, names, types, and rows of queries and keys in its order", async () => {
    const files = await filesOf("gguf", type);
    const [name] = files.keys();
    expect(name).toBe(`la-ufe-1-x-${type}.gguf`);
    const { pairs, tensors } = readGguf(files.get(name)!);
    expect(Object.fromEntries(pairs)).toMatchObject({
      ...{ "general.architecture": "llama", "general.file_type": fileType, "general.name": spec.name },
      ...{ "llama.context_length": 16, "llama.embedding_length": 32, "llama.block_count": 2, "llama.vocab_size": 256 },
      ...{ "llama.feed_forward_length": 44, "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2 },
      ...{ "llama.rope.dimension_count": 8, "llama.rope.freq_base": 10_000, "gossamer.run": runIdOf(spec) },
      ...{ "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.merges": [] },
      ...{ "tokenizer.ggml.tokens": letterOfByte, "tokenizer.ggml.add_bos_token": false },
    });
    expect(pairs.get("llama.attention.layer_norm_rms_epsilon")).toBeCloseTo(1e-5, 9);
    expect(tensors.size).toBe(3 + 2 * 9);
    const step = { f32: 0, f16: 2 ** -11, bf16: 2 ** -8, q8_0: 1 / 127 }[type];
    const compare = (theirs: string, ourName: string, order: (values: number[]) => number[] = (values) => values) => {
      const { shape, values } = ours(ourName);
      const tensor = tensors.get(theirs)!;
      expect(tensor.shape).toEqual(shape);
      const most = Math.max(...values.map(Math.abs));
      const off = order(values).map((value, i) => Math.abs(value - tensor.values[i]));
      expect(Math.max(...off), theirs).toBeLessThanOrEqual(step * most);
      return tensor.type;
    };
    const stored = { f32: "F32", f16: "F16", bf16: "BF16", q8_0: "Q8_0" }[type];
    expect(compare("token_embd.weight", "model.embed_tokens.weight")).toBe(stored);
    expect(compare("output.weight", "lm_head.weight")).toBe(stored);
    expect(compare("output_norm.weight", "model.norm.weight")).toBe("F32");
    expect(compare("blk.1.attn_v.weight", "model.layers.1.self_attn.v_proj.weight")).toBe(stored);
    expect(compare("blk.1.ffn_gate.weight", "model.layers.1.mlp.gate_proj.weight")).toBe(stored);
    // 44 values a row are no whole blocks of 32
    expect(compare("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight")).toBe(
      type === "q8_0" ? "F16" : stored,
    );
    // Rotation of neighbours instead of halves: rows 0, 4, 1, 5, 2, 6, 3, 7 of each head of 8.
    const paired = (values: number[]) =>
      Array.from({ length: values.length / 32 }, (_, r) => {
        const from = 8 * Math.floor(r / 8) + 4 * (r % 2) + Math.floor((r % 8) / 2);
        return values.slice(32 * from, 32 * from + 32);
      }).flat();
    expect(compare("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", paired)).toBe(stored);
    expect(compare("blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", paired)).toBe(stored);
  });
});

test("Q8_0: scale and codes as ggml computes them", () => {
  const values = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? (i - 16) / 8 : 0));
  const bytes = quantizeQ8(values)!;
  expect(bytes.length).toBe(68);
  const view = new DataView(bytes.buffer);
  expect(view.getUint16(0, true)).toBe(0x2408); // 2 / 127 in f16
  expect([view.getInt8(2), view.getInt8(2 + 16), view.getInt8(2 + 31)]).toEqual([-127, 0, 119]);
  expect(bytes.subarray(34).every((byte) => byte === 0)).toBe(true);
  expect(quantizeQ8(new Float32Array(32).fill(1e7))).toBeUndefined();
});

test("what cannot be written is refused with the way out", async () => {
  expect(() => planExport(exported, "safetensors", "q8_0")).toThrow(/q8_0 is a type of GGUF/);
  const [weights] = planExport(exported, "safetensors", "f16");
  const large = flat.slice();
  large[5] = 70_000;
  await expect(whole(weights.chunks(floatsOf(large)))).rejects.toThrow(/lm_head.weight .*Export it as bf16 or f32/);
});

describe("a tokenizer.json of byte-level BPE in GGUF", () => {
  const bpe = {
    model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2, "<|endoftext|>": 3 }, merges: [["a", "b"]] },
    added_tokens: [{ id: 3, content: "<|endoftext|>", special: true }],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: null,
  };
  const content = new TextEncoder().encode(JSON.stringify(bpe));

  test("is inside, with its special tokens and merges", async () => {
    const given = { ...exported, tokenizer: content, endOfText: 3 };
    const { pairs } = readGguf([...(await filesOf("gguf", "f16", given)).values()][0]);
    expect((pairs.get("tokenizer.ggml.tokens") as string[]).slice(0, 5)).toEqual([
      "a",
      "b",
      "ab",
      "<|endoftext|>",
      "[PAD4]",
    ]);
    expect((pairs.get("tokenizer.ggml.token_type") as number[]).slice(0, 5)).toEqual([1, 1, 1, 3, 5]);
    expect(pairs.get("tokenizer.ggml.merges")).toEqual(["a b"]);
    expect(pairs.get("tokenizer.ggml.eos_token_id")).toBe(3);
    const files = await filesOf("safetensors", "f16", given);
    expect(files.get("tokenizer.json")).toEqual(Buffer.from(content));
    expect(json(files, "config.json")).toMatchObject({ bos_token_id: 3, eos_token_id: 3 });
    expect(json(files, "tokenizer_config.json").eos_token).toBe("<|endoftext|>");
  });

  test("is told apart by how it cuts text", () => {
    const cut = (pre_tokenizer: object) => vocabularyOf({ ...bpe, pre_tokenizer }, 8).pre;
    const regex = (Regex: string) => ({
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      ],
    });
    const llama3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    expect(cut(bpe.pre_tokenizer)).toBe("gpt-2");
    expect(cut(regex(llama3))).toBe("llama-bpe");
    expect(cut(regex(llama3.replace("{1,3}", "")))).toBe("qwen2");
    for (const other of [regex("\\w+"), { type: "Whitespace" }, { ...bpe.pre_tokenizer, add_prefix_space: true }])
      expect(() => cut(other)).toThrow(/cannot be written for llama.cpp: it cuts text by .* Export safetensors/);
    expect(() => vocabularyOf({ ...bpe, model: { type: "Unigram" } }, 8)).toThrow(/its model is Unigram/);
    expect(() => vocabularyOf({ ...bpe, normalizer: { type: "Lowercase" } }, 8)).toThrow(
      /normalizes text by Lowercase/,
    );
    expect(() => vocabularyOf(bpe, 3)).toThrow(/has the id 3, but the model has 3 tokens/);
    const post_processor = {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<|endoftext|>" } }, { Sequence: {} }],
    };
    expect(vocabularyOf({ ...bpe, post_processor }, 8).addsBos).toBe(true);
  });
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
