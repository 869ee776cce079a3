// What a checkpoint's model makes of the spec's prompts, on this processor: the same texts wherever it is done.
import { continuation, createGenerator, type Sampling } from "#engine/generation";
import { decodeCheckpointSection } from "#outer";
import type { BlobStore } from "#store";
import { openTokenizer } from "#tokenizer";
import { blobName, type EntryOf, type RunSpec } from "#wire";
import { wholeModel } from "../whole-model.ts";

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
  await generator.load(await wholeModel(spec, blobs, parameters));
  const { prompts = [], sampleTokens: tokens = TOKENS } = spec.evaluation;
  const texts: string[] = [];
  const tokenizer = await openTokenizer(spec.data.tokenizer, ({ hash }) => storedBlob(hash, "the tokenizer", blobs));
  for (const prompt of prompts) {
    const stream = tokenizer.stream();
    let text = "";
    for await (const id of continuation(generator, tokenizer.encode(prompt), { sampling: samplingOf(spec), tokens })) {
      if (id === tokenizer.endOfText) break;
      text += stream.write(id);
    }
    texts.push(text + stream.end());
  }
  return texts;
}

async function parametersOf({ round, blobs: named }: SampledCheckpoint, blobs: Pick<BlobStore, "get">) {
  const hash = named.find(({ name }) => name === "parameters")?.hash;
  const section = decodeCheckpointSection(await storedBlob(hash, `the checkpoint of round ${round}`, blobs));
  if (typeof section === "string") throw new Error(`the checkpoint of round ${round}: ${section}`);
  return section.values;
}

async function storedBlob(hash: string | undefined, what: string, blobs: Pick<BlobStore, "get">): Promise<Uint8Array> {
  const bytes = hash === undefined ? undefined : await blobs.get(hash);
  if (bytes === undefined || blobName(bytes) !== hash) throw new Error(`${what} is not stored`);
  return bytes;
}
