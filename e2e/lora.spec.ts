// Existing weights, fine-tuned by a swarm: a small base that knows one text is given adapters for another one by two browsers, on WGSL and on the processor.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { replay } from "../apps/cli/replay.ts";
import { writeBase } from "../apps/host/test-base.ts";
import { evaluationSet, TokenSource } from "../packages/data/index.ts";
import { lossOnly, ReferenceTrainer } from "../packages/engine/reference/index.ts";
import {
  adapterTable,
  anchorHashOf,
  baseBlobs,
  baseHashOf,
  genesisParameters,
  genesisState,
  parameterTable,
} from "../packages/outer/index.ts";
import { blobName, type ModelShape, type RunDetail, type RunDraft } from "../packages/wire/index.ts";
import { expectOneAnchor, expectReplay, openDonor, SHORT_ROUNDS, specLike, startHost, untilRun } from "./support.ts";

const lora = {
  rank: 8,
  alpha: 16,
  targets: ["q" as const, "v" as const, "o" as const, "gate" as const, "up" as const, "down" as const],
};
/** What the base learns before anybody donates: half a second. The other text costs it 7.5 nats a token, more than chance. */
const BASE_STEPS = 120;
/** Adapters must take off at least so much, nats per token; three rounds took off 4.2 (2026-11). */
const LEARNT_MIN = 2;

/** So many sentences of these words, the same each time. */
function textOf(words: readonly string[], sentences: number): string {
  let state = 1;
  const draw = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return words[(state >>> 16) % words.length];
  };
  return Array.from({ length: sentences }, () => `${draw()} ${draw()} the ${draw()} ${draw()}.\n`).join("");
}

/** A base that knows the first text, trained here on the reference. */
function trainedBase(model: ModelShape, text: string): Float32Array {
  const source = new TokenSource([Uint16Array.from(Buffer.from(text))]);
  const trainer = new ReferenceTrainer(model, genesisParameters(model, 3));
  const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
  const T = model.contextLength;
  for (let step = 0; step < BASE_STEPS; step++) {
    const batch = new Uint16Array(8 * (T + 1));
    for (let b = 0; b < 8; b++)
      batch.set(source.windowAt((997 * (8 * step + b)) % (source.length - T - 1), T + 1), b * (T + 1));
    trainer.step([batch], options);
  }
  return trainer.parameters;
}

/** Of the weights as they were, over the windows that peers evaluate. */
function baseLoss({ spec: { model, data, evaluation } }: RunDetail, text: string, weights: Float32Array): number {
  const held = data.evaluation.reduce((sum, { tokens }) => sum + tokens, 0);
  const source = new TokenSource([Uint16Array.from(Buffer.from(text)).slice(-held)]);
  const { windows } = evaluationSet(source, [], { contextLength: model.contextLength, windows: evaluation.windows });
  return windows.reduce((sum, window) => sum + lossOnly(model, weights, window, 1), 0) / windows.length;
}

/** A host whose run starts from a base that knows one text, and learns another. */
async function hostFrom(change: Partial<RunDraft>, waitFor: number) {
  const folder = mkdtempSync(join(tmpdir(), "gossamer-lora-"));
  const known = textOf(["small", "river", "paints", "cold", "stone", "finds"], 500);
  const next = textOf(["lamps", "quietly", "under", "bridges", "tomorrow", "echo", "velvet"], 700);
  writeFileSync(join(folder, "next.txt"), next);
  const { model } = JSON.parse(readFileSync(SHORT_ROUNDS, "utf8")) as RunDraft;
  const weights = trainedBase(model, known);
  await writeBase(join(folder, "base"), model, weights);
  const spec = specLike((draft) => ({
    version: 5,
    base: { path: join(folder, "base"), source: "trained by this test", licence: "CC0-1.0" },
    corpus: { ...draft.corpus, path: join(folder, "next.txt"), source: "made by this test", licence: "CC0-1.0" },
    inner: { ...draft.inner, learningRate: 1e-2, warmupTokens: 2000 },
    ...change,
  }));
  const host = await startHost({ run: spec.file, waitFor });
  const started = await host.run();
  return {
    ...{ host, model, weights, spec: started.spec, before: baseLoss(started, next, weights) },
    async end() {
      await host.stop();
      host.remove();
      spec.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

test("two browsers fine-tune a base: adapters alone cross, the loss on new text falls, the base stays, the log replays", async () => {
  const { host, model, weights, spec, before, end } = await hostFrom({ lora }, 2);
  const donors = await Promise.all([openDonor(host.url), openDonor(host.url, { path: "/?backend=wasm" })]);
  try {
    const both = ({ peers, head }: RunDetail) =>
      peers.filter(({ rounds }) => rounds >= 3).length === 2 && (head.evalLoss ?? before) < before - LEARNT_MIN;
    const { peers, head } = await untilRun(host, "a loss clearly below the base's", both);
    console.info(
      `on the new text: base ${before.toFixed(2)}, after ${head.round} rounds ${head.evalLoss?.toFixed(2)} nats per token`,
    );
    expect(new Set(peers.map(({ adapter }) => adapter?.backend))).toEqual(new Set(["webgpu", "wasm"]));

    expect(spec.base?.hash).toBe(baseHashOf(baseBlobs(weights)));
    for (const { hash } of spec.base?.blobs ?? []) {
      const served = new Uint8Array(await (await fetch(`${host.url}/api/blobs/${hash}`)).arrayBuffer());
      expect(blobName(served)).toBe(hash); // as it was before anybody trained
    }
    const log = await expectOneAnchor(host, donors);
    const adapters = adapterTable(model, lora).length;
    for (const entry of log)
      if (entry.type === "commit")
        for (const { bytes } of entry.contributors) expect(bytes).toBeLessThan(1.1 * adapters);
    expect(adapters).toBeLessThan(parameterTable(model).length / 2); // at this size; of GPT-2 small a hundredth
    const replayed = await replay({ data: host.dataDir, eval: true });
    expect(replayed).toMatchObject({ ok: true, fault: null }); // the reference, on base and adapters merged, comes to the peers' loss
    expect(replayed.evaluation?.recomputed).toBeLessThan(before - LEARNT_MIN);
  } finally {
    await Promise.all(donors.map((donor) => donor.close()));
    await end();
  }
});

test("a browser trains a base on: genesis is the base, and the loss on new text falls", async () => {
  const { host, weights, spec, before, end } = await hostFrom({}, 1);
  const donor = await openDonor(host.url);
  try {
    const learnt = ({ head }: RunDetail) => (head.evalLoss ?? before) < before - 1;
    await untilRun(host, "a loss clearly below the base's", learnt);
    const log = await expectReplay(host, [donor]);
    const open = log.find(({ type }) => type === "open");
    expect(open).toMatchObject({ round: 0, baseHash: anchorHashOf(genesisState(spec, weights)) });
  } finally {
    await donor.close();
    await end();
  }
});
