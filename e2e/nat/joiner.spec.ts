// A volunteer with an ordinary home line joins a run that is under way: it starts useful work soon after what it needs has passed its line.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import type { LogEntry, RunDetail, RunDraft } from "../../packages/wire/index.ts";
import { startHost, type TestDonor } from "../support.ts";
import { Lab, PUBLIC_ADDRESS, shapedLine } from "./lab.ts";
import { logOf, runOf, volunteerIn } from "./volunteer.ts";

/** 20 Mbit/s, 40 ms there and back. */
const line = shapedLine(0);
/** What a transfer must get of the line, and what everything else may take (kernels, hello, the wait for a round). */
const LINE_SHARE = 0.8;
const REST_MS = 5_000;

/** Rounds of a second, and a model whose checkpoint the line takes three seconds for: 8 bytes for each of 0.9 M parameters. */
function wideModel(): RunDraft {
  const short = JSON.parse(readFileSync("e2e/short-rounds.json", "utf8")) as RunDraft;
  return {
    ...short,
    name: "wide model",
    model: { ...short.model, dModel: 128, layers: 4, heads: 4, kvHeads: 4, dFfn: 384 },
    inner: { ...short.inner, steps: 4, windowsPerStep: 1 },
    checkpoint: { everyRounds: 4, retain: "all" },
  };
}

interface Seen {
  readonly atMs: number;
  readonly text: string;
}

/** Watches the state line, which says what the page does, and presses the button; the first entry is the press. */
async function pressAndWatch(page: Page): Promise<() => Promise<Seen[]>> {
  await page.evaluate(() => {
    const seen: { atMs: number; text: string }[] = [{ atMs: performance.now(), text: "pressed" }];
    Object.assign(window, { seen });
    const look = (): void => {
      const text = document.querySelector(".state-line")?.textContent ?? "";
      if (text !== seen.at(-1)?.text) seen.push({ atMs: performance.now(), text });
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await page.getByRole("button", { name: "Donate this GPU" }).click();
  return () => page.evaluate(() => (window as unknown as { seen: Seen[] }).seen);
}

/** What a joiner cannot do without: all text, the newest checkpoint, and the updates of every commit after it until it trains. */
function neededBytes({ spec }: RunDetail, log: readonly LogEntry[], pressedRound: number): number {
  const text = spec.data.train.reduce((sum, { bytes }) => sum + bytes, 0);
  const checkpoint = log.findLast((entry) => entry.type === "checkpoint" && entry.round <= pressedRound);
  if (checkpoint?.type !== "checkpoint") throw new Error("no checkpoint before the button was pressed");
  const sections = checkpoint.blobs.reduce((sum, { bytes }) => sum + bytes, 0);
  const updates = log.flatMap((entry) =>
    entry.type === "commit" && entry.round >= checkpoint.round ? entry.contributors.map(({ bytes }) => bytes) : [],
  );
  return text + sections + updates.reduce((sum, bytes) => sum + bytes, 0);
}

test("a joiner starts useful work within 5 s and the transfer at 80 % of its line", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gossamer-joiner-"));
  writeFileSync(join(folder, "run.json"), JSON.stringify(wideModel()));
  const lab = await Lab.open({ A: { nat: "cone", line }, B: { nat: "cone" } });
  const host = await startHost({ run: join(folder, "run.json"), enter: lab.enter("pub"), args: ["--share"] });
  const donors: TestDonor[] = [];
  try {
    const url = `https://${PUBLIC_ADDRESS}:${new URL(host.url).port}`;
    const present = await volunteerIn(lab, "B", url, { press: true });
    donors.push(present);
    await expect
      .poll(async () => (await runOf(present.page)).round, { timeout: 60_000, intervals: [250] })
      .toBeGreaterThanOrEqual(5); // a checkpoint lies there, and rounds after it
    const joiner = await volunteerIn(lab, "A", url, { press: false });
    donors.push(joiner);
    // In truth its steps run on a machine of its own. Here they would take the processor that carries the joiner's bytes: it stands still
    // between two steps, answers for its blobs, and the round goes to whoever is ready at the deadline.
    await present.page.evaluate(async () => {
      await window.__gossamer?.hold("training");
      await window.__gossamer?.reached("training");
    });
    const pressedRound = (await runOf(present.page)).round;
    const before = await lab.lineCounts("A");
    const seen = await pressAndWatch(joiner.page);
    const isUseful = ({ text }: Seen) => /training, step [1-9]/.test(text);
    await expect.poll(async () => (await seen()).some(isUseful), { timeout: 90_000, intervals: [100] }).toBe(true);
    const after = await lab.lineCounts("A");
    const run = await runOf(present.page);
    const needed = neededBytes(run, await logOf(present.page, 0), pressedRound);
    const all = await seen();
    const firstStepMs = (all.find(isUseful) as Seen).atMs - (all[0] as Seen).atMs;
    const limitMs = REST_MS + (8 * needed) / (1e3 * LINE_SHARE * line.rateMbit);
    const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
    console.log(
      `first step ${(firstStepMs / 1e3).toFixed(1)} s after the button, limit ${(limitMs / 1e3).toFixed(1)} s: ` +
        `${mb(needed)} MB needed, ${mb(after.back.bytes - before.back.bytes)} MB came over the line`,
    );
    for (const { atMs, text } of all) console.log(`  ${((atMs - (all[0] as Seen).atMs) / 1e3).toFixed(1)} s  ${text}`);
    expect(firstStepMs).toBeLessThanOrEqual(limitMs);
  } finally {
    await Promise.all(donors.map((donor) => donor.close()));
    await host.stop();
    host.remove();
    await lab.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
