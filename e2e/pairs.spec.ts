// NoLoCo by naming it behind the run: three browsers with parameters of their own, each round two of them meet and one is alone.
import { expect, test } from "@playwright/test";
import type { RunDetail } from "../packages/wire/index.ts";
import { expectReplay, openDonor, specLike, startHost, untilRun } from "./support.ts";

test("NoLoCo: three browsers average in pairs, the merged model learns, and the log replays to it", async () => {
  const spec = specLike(({ checkpoint }) => ({ checkpoint: { ...checkpoint, everyRounds: 2 } }));
  const host = await startHost({ run: `${spec.file}+noloco`, waitFor: 3 });
  const onProcessor = { path: "/?backend=wasm" };
  const donors = await Promise.all([
    openDonor(host.url),
    openDonor(host.url, onProcessor),
    openDonor(host.url, onProcessor),
  ]);
  try {
    const all = ({ peers, head }: RunDetail) =>
      peers.filter(({ rounds }) => rounds >= 4).length === 3 && head.evalLoss !== null;
    const { head } = await untilRun(host, "four rounds of each", all);
    expect(head.evalLoss).toBeLessThan(Math.log(256));
    const log = await expectReplay(host, donors);
    const commits = log.filter((entry) => entry.type === "commit");
    expect(commits.filter(({ contributors }) => contributors.length === 3).length).toBeGreaterThanOrEqual(3);
    for (const seal of log.filter((entry) => entry.type === "seal")) expect(seal.attesters).toEqual([]);
    expect(log.filter((entry) => entry.type === "checkpoint").length).toBeGreaterThanOrEqual(1);
  } finally {
    await Promise.all(donors.map((donor) => donor.close()));
    await host.stop();
    host.remove();
    spec.remove();
  }
});
