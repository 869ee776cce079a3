// What `gossamer bench engine --bundle` writes: the engine's bench as one script, with Dawn in the folder `webgpu` beside it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { measureInDawn } from "./engine-dawn.ts";
import { type EngineFlags, engineLines, SHAPE_NAMES, wishOf } from "./engine-report.ts";
import { measureInPyTorch } from "./pytorch.ts";

const folder = join(import.meta.dirname, "webgpu");
const tuningPath = join(import.meta.dirname, "tuning.json");
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is no count`);
  return value;
};

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`"${text}" is no positive number`);
  return value;
};

interface Flags extends Omit<EngineFlags, "device"> {
  readonly adapter?: string;
  readonly pytorch?: string;
  readonly peak?: number;
  readonly json: boolean;
}

new Command("bench-engine")
  .description(
    "the engine's training step on this machine's GPU, its best matrix products and its memory bandwidth; no network is needed",
  )
  .addOption(new Option("--shape <name>", "model to measure").choices(SHAPE_NAMES).default("gpt2-small"))
  .option("--steps <count>", "timed steps", count, 10)
  .option("--microbatch <count>", "sequences per microbatch (default: the model's)", count)
  .option("--recompute <layers>", "layers whose activations are computed again (default: none)", count)
  .addOption(new Option("--precision <kind>", "of activations and weights").choices(["f32", "f16"]).default("f32"))
  .option("--adapter <name>", "part of the adapter's name (default: Dawn's choice)")
  .option("--matmul <size>", "rows and columns of the plain product (default: 4096, on a software adapter 512)", count)
  .option("--profile", "also print the milliseconds of each kernel", false)
  .option("--tune", "also look for faster variants of the kernels, kept in tuning.json", false)
  .option("--pytorch <python>", "also the same step in eager PyTorch, f32 and bf16, by a Python that has torch")
  .option("--peak <TFLOP/s>", "the card's f32 peak without tensor cores, from its data sheet", positive)
  .option("--json", "print one JSON object", false)
  .action(async ({ adapter, json, pytorch, peak, ...flags }: Flags) => {
    const wish = wishOf({ ...flags, device: true });
    const measured = await measureInDawn(wish, folder, version, tuningPath, adapter);
    const report = {
      ...measured,
      ...(pytorch !== undefined && { pytorch: await measureInPyTorch(pytorch, import.meta.dirname, wish) }),
      ...(peak !== undefined && { peakFlopsPerSecond: peak * 1e12 }),
    };
    for (const line of json ? [JSON.stringify(report)] : engineLines(report)) console.log(line);
  })
  .parseAsync()
  .catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
