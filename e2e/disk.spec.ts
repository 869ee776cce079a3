// Moments on disk, where the GPU's memory is short: in a real browser's own files, as real workers hold them.
import { expect, type Page, test } from "@playwright/test";
import { type LogEntry, offersIn, presets } from "../packages/wire/index.ts";
import { specLike, startHost, type TestHost, untilRun } from "./support.ts";

/** Of nano 2.00 MiB are needed with everything recomputed and moments in 8 bits, and 1.80 without those. */
const SMALL = "/?backend=webgpu&memory=1.85";

const nano = () =>
  specLike(({ inner }) => ({ model: presets.nano.model, inner: { ...inner, steps: 3, windowsPerStep: 2 } }));

async function donate(page: Page, host: TestHost, address: string): Promise<void> {
  await page.goto(host.url + address);
  await page.getByRole("button", { name: "Donate this GPU" }).click();
}

/** Bytes of each file that moments lie in. */
const filesOf = (page: Page): Promise<number[]> =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle("gossamer-moments", { create: true });
    const sizes: number[] = [];
    for await (const file of folder.values()) sizes.push((await (file as FileSystemFileHandle).getFile()).size);
    return sizes;
  });

const firstLossOf = (log: readonly LogEntry[]): number =>
  offersIn(log.filter((entry) => entry.type === "commit")[0])[0].loss;

test("a tab that holds the model only without its moments trains alone, as any other; its file goes with it, also when it was killed", async ({
  page,
  browser,
}) => {
  const spec = nano();
  const hosts = await Promise.all([startHost({ run: spec.file }), startHost({ run: spec.file })]);
  const [host, other] = hosts;
  const ordinary = await (await browser.newContext()).newPage();
  try {
    await Promise.all([donate(page, host, SMALL), donate(ordinary, other, "/?backend=webgpu")]);
    await untilRun(host, "two rounds with moments on disk", ({ round }) => round >= 2);
    await expect(page.getByText("Training uses this machine’s disk")).toBeVisible();
    await untilRun(other, "an ordinary round", ({ round }) => round >= 1);
    const [small, plain] = await Promise.all(hosts.map(async (each) => firstLossOf(await each.log())));
    expect(Math.abs(small / plain - 1)).toBeLessThan(0.01); // those on disk are in 8 bits
    expect(await filesOf(page)).toEqual([expect.any(Number)]);

    await page.reload(); // the worker ends without a word
    const left = await filesOf(page);
    expect(left).toHaveLength(1);
    await page.getByRole("button", { name: "Donate this GPU" }).click();
    await expect(page.getByText("Training uses this machine’s disk")).toBeVisible({ timeout: 20_000 });
    expect(await filesOf(page)).toEqual(left);
    await page.getByRole("button", { name: "Stop" }).click();
    await expect.poll(() => filesOf(page)).toEqual([]);
  } finally {
    await ordinary.context().close();
    for (const each of hosts) {
      await each.stop();
      expect(each.replays()).toBe(true);
      each.remove();
    }
    spec.remove();
  }
});

test("where the browser gives no room, the tab says so, and looks for others", async ({ page }) => {
  const host = await startHost();
  try {
    await page.goto(host.url + SMALL);
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: host.url, quotaSize: 250_000 }); // moments of nano take 261,000
    await page.getByRole("button", { name: "Donate this GPU" }).click();
    await expect(page.locator(".panel .island")).toContainText(
      /The model does not fit this tab alone\. It fits only with its moments outside of the GPU's memory, and there is no place for them \(1 MiB\): QuotaExceededError/,
    );
  } finally {
    await host.stop();
    host.remove();
  }
});
