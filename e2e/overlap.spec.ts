// A run whose peers train on while their updates are exchanged: real host, two browser processes, and a replay at the end.
import { test } from "@playwright/test";
import type { RunDetail, RunDraft } from "../packages/wire/index.ts";
import { expectOneAnchor, openDonor, specLike, startHost, untilRun } from "./support.ts";

test("[R30] two browsers train beside the exchange: their anchors are one, and the log replays to it", async () => {
  const overlapping = (spec: RunDraft) => ({ version: 2 as const, rounds: { ...spec.rounds, overlap: true } });
  const spec = specLike(overlapping);
  const host = await startHost({ run: spec.file, waitFor: 2 });
  const donors = await Promise.all([openDonor(host.url), openDonor(host.url)]);
  try {
    const both = ({ peers }: RunDetail) => peers.filter(({ rounds }) => rounds >= 4).length === 2;
    await untilRun(host, "four rounds of each", both);
    await expectOneAnchor(host, donors);
  } finally {
    await Promise.all(donors.map((donor) => donor.close()));
    await host.stop();
    host.remove();
    spec.remove();
  }
});
