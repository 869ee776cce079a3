// A run on documents, with a tokenizer that was trained from them: it trains in a browser, and its model writes text in the page.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { SyntheticText } from "../apps/cli/bench/synthetic-text.ts";
import { openDonor, specLike, startHost } from "./support.ts";

/** The same documents in every run of the test: which of them are for evaluation is decided by their text. */
function documentsIn(folder: string, count: number, bytes: number): void {
  const text = new SyntheticText(7);
  for (let i = 0; i < count; i++) writeFileSync(join(folder, `${i}.md`), text.document(bytes));
}

const DOCUMENTS = 32;

test("documents and a trained tokenizer: a browser trains, the page reads and writes with the run's own tokens", async () => {
  const docs = mkdtempSync(join(tmpdir(), "gossamer-documents-"));
  documentsIn(docs, DOCUMENTS, 10_000);
  const given = specLike(({ corpus, model }) => ({
    version: 5,
    model: { ...model, vocabSize: 512 },
    corpus: {
      ...{ kind: "parts", source: corpus.source, licence: corpus.licence, evaluationPart: 0.3 },
      parts: [{ path: docs }],
      ...{ tokenizer: { kind: "train", vocabSize: 512 }, tokensPerShard: 4096, mixedShards: 2 },
    },
  }));
  const host = await startHost({ run: given.file });
  const donor = await openDonor(host.url);
  try {
    const { spec } = await host.run();
    expect(spec.data.tokenizer).toMatchObject({ vocabSize: 512, endOfText: 511 });
    expect(spec.data.parts).toEqual([expect.objectContaining({ documents: DOCUMENTS, licence: spec.data.licence })]);
    expect(spec.data.train.length).toBeGreaterThan(10); // of which the page has ten at most at a time
    await expect
      .poll(async () => (await host.log()).some(({ type }) => type === "eval"), { timeout: 60_000 })
      .toBe(true);
    const { page } = donor;
    await page.getByRole("link", { name: "Try the model" }).click();
    const section = page.getByRole("region", { name: "Try the model" });
    await section.getByLabel("Your text").fill("# Gossamer größer 你好");
    await section.getByRole("button", { name: "Go on with it" }).click();
    const side = section.locator(".try-side").first();
    await expect(side).toHaveAttribute("data-state", "done", { timeout: 30_000 });
    expect(((await side.locator(".made").textContent()) ?? "").length).toBeGreaterThan(20);
    const head = (await host.run()).head;
    expect(spec.data.evaluationBytes).toBeLessThan(DOCUMENTS * 10_000);
    expect(head.evalLoss).toBeLessThan(Math.log(512)); // it learned from what it was given
  } finally {
    await donor.close();
    await host.stop();
  }
  expect(host.replays()).toBe(true);
  host.remove();
  given.remove();
  rmSync(docs, { recursive: true });
});
