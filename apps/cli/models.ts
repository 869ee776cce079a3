// A model by name, for commands that need no run: a preset's, a run spec's, or a well-known one to compare with.
import type { LoraShape, ModelShape } from "#wire";
import { loadDraft } from "../host/load-run.ts";
import { GPT2_SMALL } from "./gpt2-small.ts";

interface NamedModel {
  readonly name: string;
  readonly model: ModelShape;
  /** Of a run that trains adapters. */
  readonly lora?: LoraShape | undefined;
  /** Sequences that a peer takes at once where nothing else is said. */
  readonly microbatch: number;
}

export const MODEL_NAMES = "preset (nano, micro), gpt2-small, or a run spec as JSON";

/** @param from the folder that a relative file name starts from. @throws SpecError */
export async function loadModel(name: string, from: string): Promise<NamedModel> {
  if (name === GPT2_SMALL.name) return GPT2_SMALL;
  const { draft } = await loadDraft(name, from);
  return { name: draft.name, model: draft.model, lora: draft.lora, microbatch: draft.inner.windowsPerStep };
}

export const modelLine = ({ name, model }: NamedModel, parameters: number): string =>
  `${name}: ${parameters.toLocaleString("en")} parameters, d=${model.dModel} L=${model.layers} heads=${model.heads} T=${model.contextLength} V=${model.vocabSize}`;
