import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { presets } from "#wire";
import { SpecError } from "../host/load-run.ts";
import { type PlanCommandOptions, planCommand } from "./plan.ts";
import { islandsLine, islandsOf, stagesLine } from "./plan-islands.ts";

async function printed(change: Partial<PlanCommandOptions>): Promise<{ fits: boolean; text: string }> {
  const lines: string[] = [];
  const given = { run: "gpt2-small", from: process.cwd(), json: false };
  const fits = await planCommand({ ...given, ...change }, (line) => lines.push(line));
  return { fits, text: lines.join("\n") };
}

test("a model by name: its size, its parts, and what it takes otherwise", async () => {
  const { fits, text } = await printed({});
  expect(fits).toBe(true);
  expect(text).toMatch(/123,\d{3},\d{3} parameters/);
  expect(text).toMatch(/GPU memory +7\.05 GB with 8 sequences at once, 0 of 12 layers recomputed/);
  expect(text).toMatch(/ {2}moments +988 MB/);
  expect(text).not.toMatch(/ {2}mark/);
  expect((await printed({ keepsMark: true })).text).toMatch(/GPU memory +7\.62 GB[\s\S]* {2}mark +511 MB/);
  expect(text).toMatch(/any device +no, .*: parameters needs 472 MiB in one piece and this device allows 256 MiB/);
  expect(text).toMatch(/its texts +573 MB to continue texts with it, 75\.5 MB of it keys and values/);
  expect(text).toMatch(/1 at once +2\.72 GB; 2\.2 GB with its layers recomputed/);
  expect(text).toMatch(/on disk +1\.22 GB, 1 at once with its layers recomputed, and 988 MB of moments on disk/);
  expect((await printed({ moments: "8bit" })).text).toMatch(/on disk +1\.22 GB, .* and 278 MB of moments on disk/);
});

test("mixed precision: half of the activations and logits, and a copy of the weights", async () => {
  const { bytesByPart: exact } = JSON.parse((await printed({ json: true })).text);
  const { bytesByPart: mixed } = JSON.parse((await printed({ json: true, precision: "f16" })).text);
  expect(mixed.activations / exact.activations).toBeCloseTo(0.5, 2); // statistics of the norms stay
  expect(mixed.parameters / exact.parameters).toBeCloseTo(1.5, 2);
  for (const part of ["gradient", "moments", "staging"]) expect(mixed[part]).toBe(exact[part]);
});

test("a budget: as many layers recomputed as it takes, the largest that fits, and a refusal with numbers", async () => {
  const { fits, text } = await printed({ memoryGb: 6 });
  expect(fits).toBe(true);
  expect(text).toMatch(/8 sequences at once, 3 of 12 layers recomputed/);
  expect(text).toMatch(/in 6 GB +\d+ sequences of this model at once; one sequence of d=\d+/);
  const refused = await printed({ memoryGb: 0.5 });
  expect(refused.fits).toBe(false);
  expect(refused.text).toMatch(/on disk +does not fit either: 1\.22 GB/);
  expect((await printed({ memoryGb: 1.3 })).text).toMatch(/on disk +fits: 1\.22 GB/);
  expect(refused.text).toMatch(
    /not one sequence of this model; one sequence of d=\d+ .*\nDoes not fit\. It needs [\d,]+ MiB/,
  );
});

test("which islands hold it: what a member takes, and among how many a limit will do", async () => {
  const { model: micro } = presets.micro;
  const model = { ...micro, contextLength: 32, dFfn: 1024 }; // mostly weights
  const { ranksMin, members } = islandsOf({ model, memoryBytes: 1 });
  expect(ranksMin).toBe(null); // all layers but one are recomputed, and less will not do
  for (const { totalBytes, ranks } of members) {
    expect(islandsOf({ model, memoryBytes: totalBytes }).ranksMin).toBe(ranks);
    expect(islandsOf({ model, memoryBytes: totalBytes - 1 }).ranksMin).not.toBe(ranks);
  }
  expect(islandsOf({ model, memoryBytes: 1e9 }).ranksMin).toBe(1);

  const line = (fewest: number | null): string => islandsLine({ ranksMin: fewest, members: [] }, 2e9);
  expect([1, 2, 4, null].map(line).map((text) => text.replace(/; .*/, ""))).toEqual([
    "islands       not needed: it fits alone",
    "islands       among 2 tabs or more, in 2 GB each",
    "islands       among 4 tabs, in 2 GB each",
    "islands       not at all, in 2 GB each",
  ]);
  const { text } = await printed({});
  expect(text).toMatch(/islands +a member takes 2\.21 GB among 2, 1\.83 GB among 3, 1\.65 GB among 4, one sequence/);
  expect(text).not.toMatch(/stages/);
  expect((await printed({ run: "nano", keepsMark: true })).text).not.toMatch(/islands/);
});

test("stages: the most layers of each in a limit, and among how many equals they are enough", async () => {
  const { text } = await printed({ memoryGb: 2 });
  expect(text).toMatch(/stages +of 12 layers (\d+) \+ \d+, or \d+ \+ \d+ \+ \d+, or .* at most: enough among 2\n/);
  const line = (...most: number[][]) => stagesLine({ ranksMin: 1, members: [], stageLayersMax: most }, 12);
  expect(line([5, 6], [5, 6, 0], [4, 4, 3, 1])).toBe(
    "stages        of 12 layers 5 + 6, or 5 + 6 + 0, or 4 + 4 + 3 + 1 at most: enough among 4",
  );
  expect(line([0, 2])).toMatch(/: too few among equals, but a larger one may take the rest$/);
});

test("JSON for scripts, presets and files by name, and a name that is none", async () => {
  const { totalBytes, recomputedLayers } = JSON.parse((await printed({ json: true, recomputedLayers: 11 })).text);
  expect(totalBytes).toBeLessThan(3e9);
  expect(recomputedLayers).toBe(11);
  const nano = await printed({ run: "nano", microbatch: 2 });
  expect(nano.text).toMatch(/GPU memory +[\d.]+ MB with 2 sequences/);
  expect(nano.text).toMatch(/any device +yes/);
  await expect(printed({ run: "gpt3" })).rejects.toBeInstanceOf(SpecError);
  await expect(printed({ recomputedLayers: 12 })).rejects.toThrow(/of 12 layers at most 11/);
});

test("a run that trains adapters: the weights twice but for the embedding, everything that is trained small; no mark", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gossamer-plan-"));
  const base = { path: "./base", source: "a test", licence: "CC0-1.0" };
  const lora = { rank: 4, alpha: 8, targets: ["q", "k", "v", "o", "gate", "up", "down"] };
  await writeFile(join(folder, "run.json"), JSON.stringify({ ...presets.micro, version: 5, base, lora }));
  const given = { run: "run.json", from: folder, json: true };
  const { bytesByPart } = JSON.parse((await printed(given)).text);
  const { bytesByPart: all } = JSON.parse((await printed({ run: "micro", json: true })).text);
  expect(bytesByPart.parameters / all.parameters).toBeGreaterThan(1.8);
  expect(bytesByPart.gradient).toBe(bytesByPart.adapters);
  expect(bytesByPart.moments / all.moments).toBeLessThan(0.1);
  await expect(printed({ ...given, keepsMark: true })).rejects.toThrow(/^--mark: .* trains adapters/);
  await rm(folder, { recursive: true });
});
