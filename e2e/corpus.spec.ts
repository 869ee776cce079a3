// A run on documents, with a tokenizer that was trained from them: it trains in a browser, and its model writes text in the page.
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "@playwright/test";
import { openDonor, specLike, startHost } from "./support.ts";

const docs = resolve("docs");

test("documents and a trained tokenizer: a browser trains, the page reads and writes with the run's own tokens", async () => {
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
    const documents = readdirSync(docs).filter((name) => name.endsWith(".md"));
    expect(spec.data.parts).toEqual([
      expect.objectContaining({ documents: documents.length, licence: spec.data.licence }),
    ]);
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
    const bytes = documents.reduce((sum, name) => sum + readFileSync(resolve(docs, name)).length, 0);
    expect(spec.data.evaluationBytes).toBeLessThan(bytes);
    expect(head.evalLoss).toBeLessThan(Math.log(512)); // it learned from what it was given
  } finally {
    await donor.close();
    await host.stop();
  }
  expect(host.replays()).toBe(true);
  host.remove();
  given.remove();
});
