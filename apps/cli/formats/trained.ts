// Models to export that have learnt something: a preset with its real data, trained for half a minute on this processor.
//
//   draft -> spec, shards, tokenizer, as a host makes them, in a folder that goes again -> WASM engine, one thread -> parameters
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeShard, microbatchIds, TokenSource } from "#data";
import { createEngine } from "#engine";
import { type ExportedModel, namedParts, provenanceOf } from "#formats";
import { anchorHashOf, genesisState } from "#outer";
import { DiskBlobStore, openDataFolder } from "#store/disk";
import { openTokenizer, type Tokenizer } from "#tokenizer";
import { identityFrom, type RunDraft, type RunSpec } from "#wire";
import { checkDraft, makeSpec } from "../../host/load-run.ts";

export interface TrainedModel {
  readonly exported: ExportedModel;
  readonly parameters: Float32Array;
  readonly tokenizer: Tokenizer;
  readonly loss: number; // of the last step, nats per token
  /** Of the held-out text, one window each. */
  readonly prompts: readonly (readonly number[])[];
}

export interface Lesson {
  readonly draft: RunDraft;
  readonly steps: number;
  readonly prompts: number;
  readonly promptTokens: number;
}

/** The same bits again and again on one kind of processor. */
export async function trainedModel(lesson: Lesson): Promise<TrainedModel> {
  const folder = await mkdtemp(join(tmpdir(), "gossamer-formats-"));
  const host = identityFrom(new Uint8Array(32).fill(7)); // of a run that nobody hosts
  try {
    const data = await openDataFolder(folder);
    const blobs = await DiskBlobStore.open(folder, { owner: true });
    const draft = checkDraft(lesson.draft, "test:formats");
    const spec = await makeSpec({ draft, folder }, host.volunteer, data, blobs);
    const read = async (part: "train" | "evaluation") =>
      new TokenSource(
        await Promise.all(spec.data[part].map(async ({ hash }) => decodeShard((await blobs.get(hash))!).ids)),
      );
    const { parameters, loss } = await trained(spec, lesson.steps, await read("train"));
    const named = await namedParts(spec, async ({ hash }) => (await blobs.get(hash))!);
    const held = await read("evaluation");
    const row = {
      round: 0,
      anchorHash: anchorHashOf(genesisState(spec)),
      time: 0,
      blobs: [{ name: "parameters", hash: "0".repeat(64), bytes: 1 }],
    };
    await data.close();
    return {
      exported: { spec, provenance: provenanceOf(spec, row, [], () => undefined, host), ...named },
      ...{ parameters, loss, tokenizer: await openTokenizer(spec.data.tokenizer, async () => named.tokenizer!) },
      prompts: Array.from({ length: lesson.prompts }, (_, i) => [
        ...held.windowAt(Math.floor((i * (held.length - lesson.promptTokens)) / lesson.prompts), lesson.promptTokens),
      ]),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function trained(
  spec: RunSpec,
  steps: number,
  source: TokenSource,
): Promise<{ parameters: Float32Array; loss: number }> {
  const { model, inner, seed } = spec;
  const count = inner.windowsPerStep;
  const engine = await createEngine({ model, microbatch: count, backend: "wasm", threads: 1 });
  const state = genesisState(spec);
  engine.load(state.parameters);
  const plan = { seed, trainTokens: source.length, contextLength: model.contextLength };
  const place = { cursor: 0, rosterSize: 1, position: 0, windowsPerStep: count };
  let loss = Number.NaN;
  for (let innerStep = 0; innerStep < steps; innerStep++) {
    const ids = microbatchIds(source, plan, place, { innerStep, firstSequence: 0, count });
    const learningRate = inner.learningRate * Math.min(1, (innerStep + 1) / 20); // a warm-up of 20 steps
    loss = (await engine.step([ids], { ...inner, learningRate })).loss;
  }
  const parameters = await engine.read();
  engine.destroy();
  return { parameters, loss };
}
