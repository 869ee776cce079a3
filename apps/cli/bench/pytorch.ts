// The same step in eager PyTorch on the same machine (pytorch-step.py), to set the engine's beside it.
import { execFile } from "node:child_process";
import { join } from "node:path";
import * as z from "zod/mini";
import type { EngineWish } from "./engine-report.ts";

export const PYTORCH_SCRIPT = "pytorch-step.py";
/** Long enough for a model of GPT-2's size on a slow card, and an end to one that hangs. */
const WAIT_MS = 30 * 60_000;
/** Far above any cache, far below any card's memory. */
const COPY_BYTES = 256 * 2 ** 20;

const run = z.object({
  stepMs: z.number(),
  tokensPerSecond: z.number(),
  firstLoss: z.number(),
  lastLoss: z.number(),
  peakBytes: z.nullable(z.number()),
});
const measurement = z.object({
  torch: z.string(),
  device: z.string(),
  f32: run,
  bf16: run,
  matmulFlopsPerSecond: z.object({ f32: z.number(), bf16: z.number() }),
  copyBytesPerSecond: z.number(),
});
export type PyTorchMeasurement = z.infer<typeof measurement>;

/**
 * @param python an interpreter that has torch
 * @param folder where the script lies
 * @throws Error that names the interpreter and what it said
 */
export async function measureInPyTorch(
  python: string,
  folder: string,
  { model, microbatch, steps, device }: EngineWish,
): Promise<PyTorchMeasurement> {
  const wish = { model, microbatch, steps, matmul: device?.matmulSize ?? 4096, copyBytes: COPY_BYTES };
  const said = await new Promise<string>((resolve, reject) => {
    execFile(
      python,
      [join(folder, PYTORCH_SCRIPT), JSON.stringify(wish)],
      { timeout: WAIT_MS, maxBuffer: 2 ** 20 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(explained(python, error, stderr), { cause: error }));
      },
    );
  });
  return measurement.parse(JSON.parse(said));
}

function explained(python: string, error: Error, stderr: string): string {
  if ("code" in error && error.code === "ENOENT")
    return `--pytorch ${python}: there is no such program. Name a Python that has torch, for example --pytorch python3.`;
  const last = stderr.trim().split("\n").at(-1) ?? error.message;
  const remedy = stderr.includes("No module named 'torch'") ? ` Install it there: ${python} -m pip install torch.` : "";
  return `--pytorch ${python}: ${last || error.message}.${remedy}`;
}

/** Ours as parts of PyTorch's, beside the numbers themselves. */
export function pytorchLines(ours: { readonly tokensPerSecond: number }, theirs: PyTorchMeasurement): string[] {
  const { f32, bf16, matmulFlopsPerSecond: matmul, copyBytesPerSecond } = theirs;
  const rate = ({ tokensPerSecond, stepMs }: PyTorchMeasurement["f32"]): string =>
    `${tokensPerSecond.toFixed(0)} tokens/s (${stepMs.toFixed(0)} ms)`;
  const ratio = (other: number): string => (ours.tokensPerSecond / other).toFixed(2);
  return [
    `PyTorch       ${theirs.torch} on ${theirs.device}: f32 ${rate(f32)}, bf16 ${rate(bf16)}`,
    `ours / theirs ${ratio(f32.tokensPerSecond)} of its f32, ${ratio(bf16.tokensPerSecond)} of its bf16`,
    `its best      matmul f32 ${(matmul.f32 / 1e9).toFixed(1)}, bf16 ${(matmul.bf16 / 1e9).toFixed(1)} GFLOP/s; copy ${(copyBytesPerSecond / 1e9).toFixed(2)} GB/s read and written`,
  ];
}
