// What a checkpoint's model makes of the spec's prompts, on this processor: the same texts wherever it is done.
import { tokenizers } from "#data";
import { continuation, createGenerator, type Sampling } from "#engine/generation";
import { decodeCheckpointSection } from "#outer";
import type { BlobStore } from "#store";
import { blobName, type EntryOf, type RunSpec } from "#wire";

/** Unless the spec says so. */
const TOKENS = 64;
/** Lively enough that a small model does not repeat itself, and near what it thinks likely. One seed for all: what changes is the model. */
const samplingOf = (spec: RunSpec): Sampling => ({ temperature: 0.7, topK: 0, topP: 0.9, seed: spec.seed });

export type SampledCheckpoint = Pick<EntryOf<"checkpoint">, "round" | "blobs">;

/** @returns a text behind each of the spec's prompts. @throws Error when the checkpoint is not there or damaged */
export async function writeSamples(
  spec: RunSpec,
  blobs: Pick<BlobStore, "get">,
  checkpoint: SampledCheckpoint,
): Promise<string[]> {
  const parameters = await parametersOf(checkpoint, blobs);
  const generator = await createGenerator({ model: spec.model, backend: "processor" });
  await generator.load(parameters);
  const { prompts = [], sampleTokens: tokens = TOKENS } = spec.evaluation;
  const texts: string[] = [];
  for (const prompt of prompts) {
    const tokenizer = tokenizers[spec.data.tokenizer];
    const decoder = new TextDecoder(); // a character that is cut waits for its rest
    let text = "";
    const ids = tokenizer.encode(new TextEncoder().encode(prompt));
    for await (const id of continuation(generator, ids, { sampling: samplingOf(spec), tokens }))
      text += decoder.decode(tokenizer.decode([id]), { stream: true });
    texts.push(text + decoder.decode());
  }
  return texts;
}

async function parametersOf({ round, blobs: named }: SampledCheckpoint, blobs: Pick<BlobStore, "get">) {
  const ref = named.find(({ name }) => name === "parameters");
  const bytes = ref && (await blobs.get(ref.hash));
  if (ref === undefined || bytes === undefined || blobName(bytes) !== ref.hash)
    throw new Error(`the checkpoint of round ${round} is not stored`);
  const section = decodeCheckpointSection(bytes);
  if (typeof section === "string") throw new Error(`the checkpoint of round ${round}: ${section}`);
  return section.values;
}
