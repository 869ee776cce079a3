// Moments on disk, where the GPU's memory is short: in a real browser's own files, as real workers hold them.
import { expect, type Page, test } from "@playwright/test";
import { COLD_FOLDER } from "../apps/web/worker/cold-folder.ts";
import { offersIn, presets } from "../packages/wire/index.ts";
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
  page.evaluate(async (name) => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(name, { create: true });
    const sizes: number[] = [];
    for await (const file of folder.values()) sizes.push((await (file as FileSystemFileHandle).getFile()).size);
    return sizes;
  }, COLD_FOLDER);

test("a tab that holds the model only without its moments trains alone; its file goes with it, also when it was killed", async ({
  page,
}) => {
  const spec = nano();
  const host = await startHost({ run: spec.file });
  try {
    await donate(page, host, SMALL);
    await untilRun(host, "two rounds with moments on disk", ({ round }) => round >= 2);
    await expect(page.getByText("Training uses this machine’s disk")).toBeVisible();
    const commits = (await host.log()).filter((entry) => entry.type === "commit");
    const [first, second] = commits.map((commit) => offersIn(commit)[0].loss);
    expect(second).toBeLessThan(first);

    await page.reload(); // the worker ends without a word
    const left = await filesOf(page);
    expect(left).toHaveLength(1);
    await page.getByRole("button", { name: "Donate this GPU" }).click();
    await expect(page.getByText("Training uses this machine’s disk")).toBeVisible({ timeout: 20_000 });
    expect(await filesOf(page)).toEqual(left); // another one of that size: what was left is gone
    await page.getByRole("button", { name: "Stop" }).click();
    await expect.poll(() => filesOf(page)).toEqual([]);
  } finally {
    await host.stop();
    expect(host.replays()).toBe(true);
    host.remove();
    spec.remove();
  }
});

test("where the browser gives no room, the tab says so, and looks for others", async ({ page }) => {
  const spec = nano();
  const host = await startHost({ run: spec.file });
  try {
    await page.goto(host.url + SMALL);
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: host.url, quotaSize: 250_000 }); // moments of nano take 261,000
    await page.getByRole("button", { name: "Donate this GPU" }).click();
    await expect(page.locator(".panel .island")).toContainText(
      /The model does not fit this tab alone\. It fits only with its moments outside of the GPU's memory, and there is no place for them \(1 MiB\): QuotaExceededError/,
      { timeout: 20_000 },
    );
  } finally {
    await host.stop();
    host.remove();
    spec.remove();
  }
});
