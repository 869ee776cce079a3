// Trying the model: a real host with two checkpoints of a tiny model, and what the page makes of them, in WGSL and on the processor.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, type Page, test } from "@playwright/test";
import { SamplesThread } from "../apps/host/samples/samples-thread.ts";
import { startTestHost, TestVolunteer, tinyDraft, writeRun } from "../apps/host/test-given.ts";
import { readGguf } from "../packages/formats/second-readers.ts";
import { bringAxe, findings } from "./axe.ts";

let data: string;
let host: Awaited<ReturnType<typeof startTestHost>>;

async function start(everyRounds: number) {
  const checkpoint = { everyRounds, retain: "all" } as const;
  const evaluation = { ...tinyDraft().evaluation, prompts: ["It was ", "A stormy"], sampleTokens: 20 };
  return startTestHost({
    data,
    run: await writeRun(data, tinyDraft({ version: 5, checkpoint, evaluation })),
    page: "dist/web-test",
    samples: (spec, { path }) => new SamplesThread(pathToFileURL("dist/node/samples.js"), spec, path),
  });
}

test.beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "gossamer-try-"));
});
test.afterEach(async () => {
  await host.close();
  rmSync(data, { recursive: true, force: true });
});

async function play(rounds: number): Promise<void> {
  const volunteer = await TestVolunteer.join(host.url, 1);
  await volunteer.playCheckpoints(host, rounds);
  volunteer.socket.close();
}

const section = (page: Page) => page.getByRole("region", { name: "Try the model" });
const side = (page: Page, round: number) => section(page).locator(`.try-side[data-round="${round}"]`);
const writeButton = (page: Page) => section(page).getByRole("button", { name: "Go on with it" });

/** Presses the button, and waits for the end of the text of that round. */
async function written(page: Page, round: number): Promise<string> {
  await writeButton(page).click();
  await expect(side(page, round)).toHaveAttribute("data-state", "done");
  return (await side(page, round).locator(".made").textContent()) ?? "";
}

test("a seed repeats its text, in WGSL; two checkpoints side by side; stop; nothing for axe to find", async ({
  page,
}) => {
  host = await start(1);
  await play(2);
  await bringAxe(page);
  await page.goto(`${host.url}/watch?backend=webgpu`);
  await page.getByRole("link", { name: "Try the model" }).click();
  await expect(writeButton(page)).toBeEnabled();
  await expect(section(page)).toContainText(/The first time fetches [\d.]+ kB/);
  await section(page)
    .getByText(/^Settings: /)
    .click();
  await section(page).getByLabel("Length in tokens").fill("40");
  const first = await written(page, 2);
  expect(first).not.toBe("");
  await expect(section(page)).toContainText("Computed by");
  await expect(section(page)).not.toContainText("processor:"); // the WGSL of a software adapter
  await expect(side(page, 2)).toContainText("40 tokens");
  expect(await written(page, 2)).toBe(first);
  await section(page).getByLabel("Seed").fill("77");
  expect(await written(page, 2)).not.toBe(first);

  await section(page).getByLabel("Seed").fill("1");
  await section(page).getByLabel("Beside it").selectOption("after round 1");
  await section(page).getByLabel("Your text").press("Control+Enter");
  await expect(side(page, 1)).toHaveAttribute("data-state", "done");
  await expect(side(page, 2)).toHaveAttribute("data-state", "done");
  await expect(side(page, 2).locator(".made")).toHaveText(first, { useInnerText: false });
  await expect(section(page).getByRole("status").first()).toContainText("After round 1: ");
  expect(await findings(page)).toEqual([]);

  // To take home: the very file that `gossamer export` writes.
  const home = section(page).getByRole("region", { name: "Take the model home" });
  await home.getByLabel("Exactness").selectOption("q8_0");
  const begun = page.waitForEvent("download");
  await home.getByRole("button", { name: "Download" }).press("Enter");
  const download = await begun;
  expect(download.suggestedFilename()).toBe("tiny-q8_0.gguf");
  const { pairs, tensors } = readGguf(readFileSync(await download.path()));
  expect(pairs.get("gossamer.anchor")).toBe(host.run.detail(0, 1).head.anchorHash);
  expect(tensors.get("blk.0.attn_q.weight")?.type).toMatch(/^(Q8_0|F16)$/);
  await expect(home.getByRole("status")).toContainText("The download has begun: tiny-q8_0.gguf");
  await page.route("**/export?**", (route) =>
    route.fulfill({ status: 503, json: { error: { code: "busy", message: "4 exports of this run are under way." } } }),
  );
  await home.getByRole("button", { name: "Download" }).press("Enter");
  await expect(home.getByRole("alert")).toContainText(
    "The host does not give it: 4 exports of this run are under way.",
  );
  expect(await findings(page)).toEqual([]);

  await section(page).getByLabel("Length in tokens").fill("2000");
  await writeButton(page).click();
  await section(page).getByRole("button", { name: "Stop" }).click();
  await expect(side(page, 2)).toHaveAttribute("data-state", "stopped");
  await expect(writeButton(page)).toBeEnabled();
});

test("what the model made of the run's prompts: by keyboard from checkpoint to checkpoint", async ({ page }) => {
  host = await start(1);
  await bringAxe(page);
  await page.goto(`${host.url}/watch`);
  await page.getByRole("link", { name: "Try the model" }).click();
  const samples = section(page).getByRole("region", { name: "How it learned to write" });
  await expect(samples).toContainText("once the first checkpoint is made");
  await play(2);
  await expect.poll(() => host.run.samples.samples.length).toBe(2);
  await page.reload();
  await page.getByRole("link", { name: "Try the model" }).click();
  const [first, second] = host.run.samples.samples;
  await expect(samples.locator(".written")).toHaveText([`It was ${second.texts[0]}`, `A stormy${second.texts[1]}`], {
    useInnerText: false,
  });
  const time = samples.getByRole("slider", { name: "Checkpoint" });
  await time.press("Home");
  await expect(time).toHaveAttribute("aria-valuetext", "after round 1");
  await expect(samples.locator(".written").first()).toHaveAttribute("data-round", "1");
  await expect(samples.locator(".written").first()).toContainText(first.texts[0].trim().split(/\s/)[0]);
  expect(await findings(page)).toEqual([]);
});

test("before the first checkpoint, without WebGPU, and when the host does not give it", async ({ page }) => {
  host = await start(2);
  await bringAxe(page);
  await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, "gpu"));
  await page.route("**/try-model-*.js", (route) => route.abort());
  await page.goto(`${host.url}/watch`);
  await page.getByRole("link", { name: "Try the model" }).click();
  await expect(section(page).getByRole("alert")).toContainText("did not load");
  await page.unroute("**/try-model-*.js");
  await page.reload();
  await page.getByRole("link", { name: "Try the model" }).click();
  await expect(section(page)).toContainText("There is nothing to try yet");
  await expect(writeButton(page)).toBeDisabled();
  expect(await findings(page)).toEqual([]);

  const volunteer = await TestVolunteer.join(host.url, 1);
  let { anchorHash } = host.run.detail(0, 1).head;
  for (const round of [0, 1]) ({ anchorHash } = await volunteer.playRound(round, anchorHash));
  await volunteer.entry("checkpoint");
  volunteer.socket.close();
  await page.route("**/api/blobs/**", (route) => route.abort());
  await page.reload();
  await page.getByRole("link", { name: "Try the model" }).click();
  await writeButton(page).click();
  await expect(side(page, 2).getByRole("alert")).toContainText("The model did not arrive.");
  expect(await findings(page)).toEqual([]);
  // Of a large one it asks first.
  await page.route("**/checkpoints", async (route) => {
    const response = await route.fetch();
    const document = (await response.json()) as { checkpoints: { blobs: { bytes: number }[] }[] };
    for (const { blobs } of document.checkpoints) for (const blob of blobs) blob.bytes = 250e6;
    await route.fulfill({ json: document });
  });
  await page.reload();
  await page.getByRole("link", { name: "Try the model" }).click();
  await writeButton(page).click();
  await expect(section(page).getByRole("alert")).toContainText("That fetches 250 MB.");
  expect(await findings(page)).toEqual([]);
  await section(page).getByRole("button", { name: "Not now" }).click();
  await expect(section(page).getByRole("alert")).toHaveCount(0);
  await page.unroute("**/checkpoints");
  await page.unroute("**/api/blobs/**");
  await page.reload();
  await page.getByRole("link", { name: "Try the model" }).click();
  expect(await written(page, 2)).not.toBe("");
  await expect(section(page)).toContainText("Computed by this machine’s processor");
});
