// A run whose peers train on while their updates are exchanged: real host, two browser processes, and a replay at the end.
import { expect, test } from "@playwright/test";
import { countOfAttesters, type RunDetail, type RunDraft } from "../packages/wire/index.ts";
import { openDonor, specLike, startHost, untilRun } from "./support.ts";

test("[R30] two browsers train beside the exchange: their anchors are one, and the log replays to it", async () => {
  const overlapping = (spec: RunDraft) => ({ version: 2 as const, rounds: { ...spec.rounds, overlap: true } });
  const spec = specLike(overlapping);
  const host = await startHost({ run: spec.file });
  const donors = await Promise.all([openDonor(host.url), openDonor(host.url)]);
  try {
    const both = ({ peers }: RunDetail) => peers.filter(({ rounds }) => rounds >= 4).length === 2;
    await untilRun(host, "four rounds of each", both);
    const log = await host.log();
    const seals = log.filter((entry) => entry.type === "seal");
    expect(seals.filter(({ attesters }) => countOfAttesters(attesters) === 2).length).toBeGreaterThanOrEqual(3);
    expect(seals.flatMap(({ refused }) => refused)).toEqual([]);
    for (const { page } of donors) await expect(page.getByText("Desyncs repaired")).toHaveCount(0);
    await Promise.all(donors.map((donor) => donor.close()));
    await host.stop();
    expect(host.replays()).toBe(true);
  } finally {
    await Promise.all(donors.map((donor) => donor.close()));
    await host.stop();
    host.remove();
    spec.remove();
  }
});
