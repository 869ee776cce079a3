import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wishOf } from "./engine-report.ts";
import { measureInPyTorch, type PyTorchMeasurement, pytorchLines } from "./pytorch.ts";

const wish = wishOf({ shape: "nano", steps: 3, profile: false, device: false });
const run = { stepMs: 10, tokensPerSecond: 50_000, firstLoss: 5.5, lastLoss: 5, peakBytes: null };
const measured: PyTorchMeasurement = {
  torch: "2.9",
  device: "a card",
  f32: run,
  bf16: { ...run, stepMs: 5, tokensPerSecond: 100_000 },
  matmulFlopsPerSecond: { f32: 5e13, bf16: 7e14 },
  copyBytesPerSecond: 3e12,
};
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gossamer-pytorch-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Stands in for Python: a program that says and ends as told. */
async function python(name: string, script: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}

test("the script is given the model, and its numbers are printed as ratios", async () => {
  const echo = await python("echo", `printf '%s' "$2" > ${join(folder, "wish")}; echo '${JSON.stringify(measured)}'`);
  const report = await measureInPyTorch(echo, folder, wish);
  expect(report).toEqual(measured);
  expect(JSON.parse(await readFile(join(folder, "wish"), "utf8"))).toMatchObject({ model: wish.model, steps: 3 });
  expect(pytorchLines({ tokensPerSecond: 25_000 }, report)[1]).toBe("ours / theirs 0.50 of its f32, 0.25 of its bf16");
});

test("no Python, no torch, a failure: each is named with what helps", async () => {
  await expect(measureInPyTorch(join(folder, "none"), folder, wish)).rejects.toThrow(/no such program.*python3/);
  const without = await python("without", `echo "ModuleNotFoundError: No module named 'torch'" >&2; exit 1`);
  await expect(measureInPyTorch(without, folder, wish)).rejects.toThrow(/-m pip install torch/);
  const broken = await python("broken", "echo 'torch.OutOfMemoryError: CUDA out of memory' >&2; exit 1");
  await expect(measureInPyTorch(broken, folder, wish)).rejects.toThrow(/CUDA out of memory/);
});
