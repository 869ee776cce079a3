// Methods other than the presets', by naming them behind the run: one browser on WGSL, which makes its updates on the device, and one on the processor.
//
// `npm test` runs three that have least in common: a sparse code with feedback, a code with shared state, gradients; `npm run proof:methods` all.
import { expect, test } from "@playwright/test";
import type { RunDetail, RunDraft } from "../packages/wire/index.ts";
import { expectOneAnchor, openDonor, specLike, startHost, untilRun } from "./support.ts";

/** By its name, and what a short run of it needs beside that. */
const named: readonly (readonly [method: string, change?: (spec: RunDraft) => Partial<RunDraft>])[] = [
  ["sparseloco"],
  ["power-sgd"],
  [
    "ddp",
    ({ inner, rounds }) => ({
      inner: { ...inner, warmupTokens: 2000 },
      rounds: { ...rounds, deadlineMinMs: 1000 }, // a round is one step
    }),
  ],
  ["fedavg"],
  ["streaming", ({ inner }) => ({ inner: { ...inner, steps: 8 } })],
];
const SHORT = 3;
const tried = process.env.GOSSAMER_PROOF === "whole" ? named : named.slice(0, SHORT);

for (const [method, change = () => ({})] of tried)
  test(`${method}: two browsers fold the same anchors, the loss falls, and the log replays from a checkpoint`, async () => {
    const spec = specLike((draft) => ({ checkpoint: { ...draft.checkpoint, everyRounds: 2 }, ...change(draft) }));
    const host = await startHost({ run: `${spec.file}+${method}`, waitFor: 2 });
    const donors = await Promise.all([openDonor(host.url), openDonor(host.url, { path: "/?backend=wasm" })]);
    try {
      const both = ({ peers }: RunDetail) => peers.filter(({ rounds }) => rounds >= 3).length === 2;
      const { peers, head } = await untilRun(host, "three rounds of each", both);
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
