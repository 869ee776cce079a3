// A small run that has trained nothing, and its files, for the tests of what is exported.
import { expect } from "vitest";
import { genesisParameters, parameterTable } from "#outer";
import { identityFrom, presets, type RunSpec } from "#wire";
import { type ExportedModel, type ExportFormat, type ExportType, planExport } from "./export.ts";
import { provenanceOf } from "./provenance.ts";
import type { ReadTensor } from "./second-readers.ts";
import { floatsOf } from "./tensors-out.ts";

export const host = identityFrom(new Uint8Array(32).fill(1));
const { corpus: text, ...draft } = presets.nano;
export const corpus = text;
const shard = { hash: "ab".repeat(32), bytes: 1032, tokens: 500 };
/** Grouped heads, a head of its own, a feed-forward width that is of no whole blocks of 32. */
export const spec: RunSpec = {
  ...draft,
  name: 'Läufe "1" | x',
  data: { source: text.source, licence: text.licence, tokenizer: "bytes", train: [shard], evaluation: [shard] },
  hostKey: host.volunteer,
  model: { ...draft.model, dModel: 32, heads: 4, kvHeads: 2, dFfn: 44, contextLength: 16, tiedEmbedding: false },
};
export const { model } = spec;
export const flat = genesisParameters(model, 3);
export const row = {
  round: 0,
  anchorHash: "cd".repeat(32),
  time: 0,
  blobs: [{ name: "parameters", hash: "ef".repeat(32), bytes: 9 }],
};
export const provenance = provenanceOf(spec, row, [], () => undefined, host);
export const exported: ExportedModel = {
  spec,
  provenance,
  tokenizer: undefined,
  endOfText: undefined,
  manifest: undefined,
};

export async function whole(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}
export async function filesOf(
  format: ExportFormat,
  type: ExportType,
  given = exported,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const { name, bytes, chunks } of planExport(given, format, type)) {
    const content = await whole(chunks(floatsOf(flat)));
    expect(content.length, name).toBe(bytes);
    files.set(name, content);
  }
  return files;
}
export const json = (files: Map<string, Uint8Array>, name: string) =>
  JSON.parse(Buffer.from(files.get(name)!).toString());
export const ours = (name: string): ReadTensor => {
  const { shape, offset, length } = parameterTable(model).tensors.find((place) => place.name === name)!;
  return { type: "F32", shape, values: [...flat.subarray(offset, offset + length)] };
};
