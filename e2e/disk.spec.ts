// Moments on disk, where the GPU's memory is short: in a real browser's own files, as real workers hold them.
import { expect, type Page, test } from "@playwright/test";
import { COLD_FOLDER } from "../apps/web/worker/cold-folder.ts";
import { offersIn, presets } from "../packages/wire/index.ts";
import { specLike, startHost, untilRun } from "./support.ts";

/** Of nano 2.00 MiB are needed with everything recomputed and moments in 8 bits, and 1.80 without those. */
const SMALL = "/?backend=webgpu&memory=1.85";

const nano = () =>
  specLike(({ inner }) => ({ model: presets.nano.model, inner: { ...inner, steps: 2, windowsPerStep: 1 } }));

const donate = (page: Page) => page.getByRole("button", { name: "Donate this GPU" }).click();

/** Bytes of each file that moments lie in. */
const filesOf = (page: Page): Promise<number[]> =>
  page.evaluate(async (name) => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(name, { create: true });
    const sizes: number[] = [];
    for await (const file of folder.values()) sizes.push((await (file as FileSystemFileHandle).getFile()).size);
    return sizes;
  }, COLD_FOLDER);

test("a tab that holds the model only without its moments trains alone; its file goes with it, also when it was killed; without room it seeks others", async ({
  page,
}) => {
  const spec = nano();
  const host = await startHost({ run: spec.file });
  try {
    await page.goto(host.url + SMALL);
    await donate(page);
    await untilRun(host, "a round with moments on disk", ({ round }) => round >= 1);
    await expect(page.getByText("Training uses this machine’s disk")).toBeVisible();
    const log = await host.log();
    expect(log.flatMap((entry) => (entry.type === "commit" ? offersIn(entry) : []))[0].loss).toBeLessThan(5.6);
    expect(log.flatMap((entry) => (entry.type === "seal" ? entry.refused : []))).toEqual([]);

    await page.reload(); // the worker ends without a word
    const left = await filesOf(page);
    expect(left).toHaveLength(1);
    await donate(page);
    await expect(page.getByText("Training uses this machine’s disk")).toBeVisible({ timeout: 20_000 });
    expect(await filesOf(page)).toEqual(left); // another one of that size: what was left is gone
    await page.getByRole("button", { name: "Stop" }).click();
    await expect.poll(() => filesOf(page)).toEqual([]);

    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: host.url, quotaSize: 1000 });
    await donate(page);
    await expect(page.locator(".panel .island")).toContainText(
      "The model does not fit this tab alone. It fits only with its moments outside of the GPU's memory, and there is no place for them (1 MiB): the browser gives this site no more room on the disk.",
      { timeout: 20_000 },
    );
  } finally {
    await host.stop();
    expect(host.replays()).toBe(true);
    host.remove();
    spec.remove();
  }
});
