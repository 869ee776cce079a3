// A checkpoint as a set of files that other tools read: their names and sizes are known before the first byte, and bytes come as they are asked for.
//
//   safetensors   model.safetensors, config.json, generation_config.json, tokenizer.json, tokenizer_config.json, special_tokens_map.json   | both: README.md,
//   gguf          NAME-TYPE.gguf, with the tokenizer inside                                                                                | provenance.json, run.json, data-manifest.json
import { canonicalBytes, type RunSpec } from "#wire";
import { byteTokenizer } from "./byte-tokenizer.ts";
import { configOf, type SpecialIds } from "./llama-config.ts";
import { planGguf } from "./llama-gguf.ts";
import { planSafetensors } from "./llama-safetensors.ts";
import { modelCard } from "./model-card.ts";
import type { Provenance } from "./provenance.ts";
import { FormatError } from "./source.ts";
import type { FloatSource, OutType } from "./tensors-out.ts";

export const exportFormats = ["safetensors", "gguf"] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** By the names that people type. */
export const exportTypes = { f32: "F32", f16: "F16", bf16: "BF16", q8_0: "Q8_0" } as const satisfies Record<
  string,
  OutType
>;
export type ExportType = keyof typeof exportTypes;

/** What is exported. */
export interface ExportedModel {
  readonly spec: RunSpec;
  readonly provenance: Provenance;
  /** The run's tokenizer.json, byte for byte; undefined: the run reads bytes. */
  readonly tokenizer: Uint8Array | undefined;
  /** The id that ends a document; undefined: none does. */
  readonly endOfText: number | undefined;
  /** What was read and what was left out, byte for byte; undefined: the run's text is one file. */
  readonly manifest: Uint8Array | undefined;
}

/** What of it lies in blobs that the spec names. @param blob the bytes of that name; rejects when they are not to be had */
export async function namedParts(
  { data: { tokenizer, manifest } }: RunSpec,
  blob: (ref: { readonly hash: string; readonly bytes: number }) => Promise<Uint8Array>,
): Promise<Pick<ExportedModel, "tokenizer" | "endOfText" | "manifest">> {
  const isFile = tokenizer !== "bytes";
  return {
    tokenizer: isFile ? await blob(tokenizer) : undefined,
    endOfText: isFile ? tokenizer.endOfText : undefined,
    manifest: manifest && (await blob(manifest)),
  };
}

export interface ExportFile {
  readonly name: string;
  readonly bytes: number;
  /** From the first byte to the last. @param source the whole model's parameters. Rejects with FormatError when the type cannot hold a value */
  chunks(source: FloatSource): AsyncGenerator<Uint8Array>;
}

/** @throws FormatError for a format and a type that do not go together, for a tokenizer that llama.cpp would not follow, and for what is no Llama */
export function planExport(model: ExportedModel, format: ExportFormat, type: ExportType): ExportFile[] {
  const { spec, provenance } = model;
  if (spec.model.residual)
    throw new FormatError(
      `This run's model has a residual stream of another kind (model.residual "${spec.model.residual}"): other software would take it for a Llama and compute it wrongly, so it is not exported. Its text is continued on the run's page and by gossamer generate, and GET /api/runs/:id/checkpoints has its parameters.`,
    );
  const tokenizer = parsedTokenizer(model.tokenizer);
  const eos = model.endOfText ?? null;
  const special: SpecialIds = { bos: eos, eos, pad: null };
  const weights = format === "gguf" ? ggufFile(model, type, tokenizer, special) : safetensorsFile(model, type);
  const card = modelCard({ spec, provenance, weights: `${weights.name}, ${type}` });
  return [
    weights,
    ...(format === "gguf" ? [] : besideSafetensors(model, type, tokenizer, special)),
    textFile("README.md", card),
    jsonFile("provenance.json", provenance),
    contentFile("run.json", canonicalBytes(spec)), // its SHA-256 is the run's id
    ...(model.manifest === undefined ? [] : [contentFile("data-manifest.json", model.manifest)]),
  ];
}

function ggufFile(
  { spec, provenance }: ExportedModel,
  type: ExportType,
  tokenizer: unknown,
  special: SpecialIds,
): ExportFile {
  const plan = planGguf(spec.model, exportTypes[type], {
    tokenizer,
    special,
    texts: {
      "general.name": spec.name,
      "general.description": spec.purpose,
      "general.license": spec.modelLicence,
      "gossamer.run": provenance.run,
      "gossamer.round": String(provenance.round),
      "gossamer.anchor": provenance.anchorHash,
      "gossamer.log_head": provenance.head?.hash ?? "",
    },
  });
  return { name: `${exportName(spec, type)}.gguf`, ...plan };
}

function safetensorsFile({ spec, provenance }: ExportedModel, type: ExportType): ExportFile {
  const own = exportTypes[type];
  if (own === "Q8_0") throw new FormatError("q8_0 is a type of GGUF: export that, or safetensors as f32, f16 or bf16.");
  const { run, round, anchorHash } = provenance;
  const plan = planSafetensors(spec.model, own, { run, round: String(round), anchor: anchorHash });
  return { name: "model.safetensors", ...plan };
}

function besideSafetensors(
  { spec, tokenizer: given }: ExportedModel,
  type: ExportType,
  tokenizer: unknown,
  special: SpecialIds,
): ExportFile[] {
  const ids = { bos_token_id: special.bos, eos_token_id: special.eos, pad_token_id: special.pad };
  const token = special.eos === null ? undefined : tokenOf(tokenizer, special.eos);
  const tokens = token === undefined ? {} : { bos_token: token, eos_token: token };
  return [
    jsonFile("config.json", configOf(spec.model, exportTypes[type] as "F32" | "F16" | "BF16", special)),
    jsonFile("generation_config.json", { do_sample: true, temperature: 0.8, top_p: 0.95, ...ids }), // as `gossamer generate` does
    given === undefined ? jsonFile("tokenizer.json", tokenizer) : contentFile("tokenizer.json", given),
    jsonFile("tokenizer_config.json", {
      tokenizer_class: "PreTrainedTokenizerFast",
      model_max_length: spec.model.contextLength,
      clean_up_tokenization_spaces: false,
      ...tokens,
    }),
    jsonFile("special_tokens_map.json", tokens),
  ];
}

function parsedTokenizer(content: Uint8Array | undefined): unknown {
  if (content === undefined) return byteTokenizer;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    throw new FormatError("The run's tokenizer.json is not JSON. Its blob is damaged: restore it from a backup.");
  }
}

/** A token's text by its id. */
function tokenOf(tokenizer: unknown, id: number): string | undefined {
  const { added_tokens = [], model } = tokenizer as {
    added_tokens?: { id: number; content: string }[];
    model: { vocab: Record<string, number> };
  };
  const added = added_tokens.find((token) => token.id === id)?.content;
  return added ?? Object.entries(model.vocab).find(([, each]) => each === id)?.[0];
}

/** How an export is called: the run's name in letters, digits and dashes, at most 60 of them, and the type. */
export function exportName({ name }: Pick<RunSpec, "name">, type: ExportType): string {
  const plain = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  return `${plain === "" ? "model" : plain}-${type}`;
}

const contentFile = (name: string, content: Uint8Array): ExportFile => ({
  name,
  bytes: content.length,
  async *chunks() {
    yield content;
  },
});
const textFile = (name: string, text: string): ExportFile => contentFile(name, new TextEncoder().encode(text));
const jsonFile = (name: string, value: unknown): ExportFile => textFile(name, `${JSON.stringify(value, null, 2)}\n`);
