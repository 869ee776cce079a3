// GGUF files read back by a reader that shares nothing with the writer: keys, names, types and the order of rows that llama.cpp expects, and the tokenizer inside.
import { describe, expect, test } from "vitest";
import { letterOfByte } from "#tokenizer";
import { runIdOf } from "#wire";
import { vocabularyOf } from "./gguf-vocabulary.ts";
import { quantizeQ8 } from "./q8.ts";
import { readGguf } from "./second-readers.ts";
import { exported, filesOf, json, ours, spec } from "./test-given.ts";

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
