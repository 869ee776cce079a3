// How long a volunteer of the default run waits: for the first loss, and for the first commit.
import { expect, test } from "@playwright/test";
import { openDonor, secondsSince, startHost } from "./support.ts";

test("the default run, on a software adapter: a loss within 30 s of the button, a commit within two minutes", async () => {
  const host = await startHost({ run: "micro" });
  const donor = await openDonor(host.url, { press: false });
  try {
    const pressedMs = performance.now();
    await donor.donate();
    await expect(donor.page.locator("[data-figure=own-loss]")).toHaveText(/^\d+\.\d+$/, { timeout: 60_000 });
    const lossS = secondsSince(pressedMs);
    const committed = async () => (await host.log()).some((entry) => entry.type === "commit");
    await expect.poll(committed, { message: "a commit", timeout: 150_000, intervals: [250] }).toBe(true);
    const commitS = secondsSince(pressedMs);
    console.log(`micro: first loss ${lossS.toFixed(1)} s, first commit ${commitS.toFixed(1)} s after the button`);
    expect(lossS).toBeLessThan(30);
    expect(commitS).toBeLessThan(120);
    expect((await host.run()).peers[0]?.adapter?.isFallback).toBe(true);
  } finally {
    await donor.close();
    await host.stop();
    host.remove();
  }
});
