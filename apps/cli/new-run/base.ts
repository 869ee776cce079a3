// A new run that starts from existing weights: the model is theirs, and so is the tokenizer beside them unless another one is named.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { FormatError, modelFromConfig } from "#formats";
import { LORA_TARGETS, type RunDraft } from "#wire";
import { SpecError } from "../../host/load-run.ts";
import type { Size } from "./sizes.ts";

export interface BaseFlags {
  readonly base?: string;
  readonly baseSource?: string;
  readonly baseLicence?: string;
  readonly context?: number;
  readonly lora?: number;
}

export interface BaseWishes {
  readonly base: NonNullable<RunDraft["base"]>;
  readonly lora?: RunDraft["lora"];
  readonly size: Size;
  /** The tokenizer.json beside the weights, as it is to be named; undefined: there is none. */
  readonly tokenizer: string | undefined;
}

/** Activations grow with it, and most of what a text teaches is near; --context gives more. */
const CONTEXT_MAX = 512;
/**
 * Where common practice begins. All parameters: a tenth of a first training's rate, so that what the weights know stays. Adapters: the rate of QLoRA
 * (Dettmers et al. 2023, arXiv 2305.14314) for models of some billions, and five times that for the small ones that browsers hold.
 */
const RATES = { whole: 1e-4, adapters: 1e-3 };

/** @returns undefined: it starts from nothing. @throws SpecError */
export async function baseWishes(flags: BaseFlags, from: string): Promise<BaseWishes | undefined> {
  const { base: folder, baseSource: source = "", baseLicence: licence = "", context, lora: rank } = flags;
  if (folder === undefined) {
    const lone = Object.entries({ lora: rank, context, "base-source": source, "base-licence": licence });
    const [name] = lone.find(([, value]) => value !== undefined && value !== "") ?? [];
    if (name !== undefined) throw new SpecError(`--${name} belongs to --base, a folder with weights.`);
    return undefined;
  }
  if (source === "" || licence === "")
    throw new SpecError(
      "Weights need --base-source (where they come from) and --base-licence: whoever takes the model must know both.",
    );
  const model = await modelOf(resolve(from, folder), folder, context);
  const tokenizer = join(folder, "tokenizer.json");
  return {
    base: { path: folder, source, licence },
    ...(rank === undefined ? {} : { lora: { rank, alpha: 2 * rank, targets: [...LORA_TARGETS] } }),
    size: {
      name: "weights from elsewhere",
      model,
      inner: {
        ...{ steps: 20, windowsPerStep: 8 },
        learningRate: rank === undefined ? RATES.whole : RATES.adapters,
        learningRateMin: (rank === undefined ? RATES.whole : RATES.adapters) / 10,
      },
      deadlineMaxMs: 600_000,
    },
    tokenizer: existsSync(resolve(from, tokenizer)) ? tokenizer : undefined,
  };
}

async function modelOf(path: string, said: string, context: number | undefined) {
  const name = join(said, "config.json");
  try {
    const config: unknown = JSON.parse(await readFile(join(path, "config.json"), "utf8"));
    const { contextLength } = modelFromConfig(config, { name });
    return modelFromConfig(config, { name, contextLength: context ?? Math.min(contextLength, CONTEXT_MAX) });
  } catch (error) {
    if (error instanceof FormatError) throw new SpecError(`--base: ${error.message}`);
    throw new SpecError(
      `--base ${said}: ${(error as Error).message}. Give a folder with config.json and safetensors, as Hugging Face's hub has them.`,
    );
  }
}
