// Methods other than the presets', by naming them in the run spec: one browser on WGSL, which makes its updates on the device, and one on the processor.
import { expect, test } from "@playwright/test";
import type { RunDetail, RunDraft } from "../packages/wire/index.ts";
import { expectOneAnchor, openDonor, specLike, startHost, untilRun } from "./support.ts";

type Change = (spec: RunDraft) => Partial<RunDraft>;
const sparse: Change = ({ outer: { blockSize: _, ...outer } }) => ({
  outer: {
    ...outer,
    ...{ learningRate: 1, momentum: 0 },
    codec: { name: "chunk-top-k", chunk: 1024, k: 64, feedback: 0.95 },
  },
});
const adaptive: Change = ({ outer }) => ({
  outer: {
    ...{ ...outer, method: "fedadam", momentum: 0.9, learningRate: 0.01 },
    ...{ beta2: 0.99, tau: 0.001 },
  },
});
const powerSgd: Change = ({ outer: { blockSize: _, ...outer } }) => ({
  outer: { ...outer, codec: { name: "power-sgd", rank: 8, feedback: 1 } },
});
const fedAvg: Change = ({ inner, outer }) => ({
  inner: { ...inner, resetMoments: true },
  outer: { ...outer, learningRate: 1, momentum: 0 },
});
const ddp: Change = ({ inner, outer, rounds }) => ({
  inner: { ...inner, steps: 1, warmupTokens: 2000 },
  outer: { ...outer, extract: "gradient", method: "adamw", learningRate: 1, momentum: 0 },
  rounds: { ...rounds, deadlineMinMs: 1000 },
});
const streaming: Change = ({ inner, outer: { blockSize: _, ...outer }, rounds }) => ({
  inner: { ...inner, steps: 4 },
  outer: { ...outer, fragments: 2, merge: { keepLocal: 0.5 }, codec: { name: "e3m0" } },
  rounds: { ...rounds, overlap: true },
});

for (const [name, change] of [
  ["chunked top-k with error feedback", sparse],
  ["FedAdam's outer step", adaptive],
  ["PowerSGD, whose directions are shared state", powerSgd],
  ["FedAvg", fedAvg],
  ["DDP: gradients for one AdamW", ddp],
  ["Streaming DiLoCo: fragments, overlap, mixing, 4 bits", streaming],
] as const)
  test(`${name}: two browsers fold the same anchors, the loss falls, and the log replays from a checkpoint`, async () => {
    const spec = specLike((draft) => ({
      version: 4,
      checkpoint: { ...draft.checkpoint, everyRounds: 2 },
      ...change(draft),
    }));
    const host = await startHost({ run: spec.file });
    const donors = await Promise.all([
      openDonor(host.url),
      openDonor(host.url, { path: "/?backend=wasm", press: false }),
    ]);
    try {
      await donors[1].page.getByRole("button", { name: "Donate this processor" }).click();
      const both = ({ peers }: RunDetail) => peers.filter(({ rounds }) => rounds >= 4).length === 2;
      const { peers, head } = await untilRun(host, "four rounds of each", both);
      expect(new Set(peers.map(({ adapter }) => adapter?.backend))).toEqual(new Set(["webgpu", "wasm"]));
      expect(head.evalLoss).toBeLessThan(Math.log(256));
      const log = await expectOneAnchor(host, donors);
      expect(log.filter((entry) => entry.type === "checkpoint").length).toBeGreaterThanOrEqual(1);
    } finally {
      await Promise.all(donors.map((donor) => donor.close()));
      await host.stop();
      host.remove();
      spec.remove();
    }
  });
