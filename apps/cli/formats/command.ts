// `npm run test:formats`: what we export, read by llama.cpp: the same tokens, the same text, the same probabilities.
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { ExportType } from "#formats";
import { presets, type RunDraft, SPEC_VERSION } from "#wire";
import { type Comparison, compare, keepForTransformers } from "./compare.ts";
import { LlamaCpp } from "./llama-cpp.ts";
import { type Lesson, trainedModel } from "./trained.ts";

/** Of issue and README: so many tokens behind so many prompts. */
const [TOKENS, PROMPTS] = [64, 20];
/**
 * What log-probabilities may differ by. f32: both compute in f32, in another order. The others are the weights' own rounding, of models whose logits
 * reach some tens: so they are only held to "no other model".
 */
const TOLERANCE: Readonly<Record<ExportType, number>> = { f32: 1e-3, f16: 0.02, bf16: 0.2, q8_0: 0.5 };

const { nano, micro } = presets;
/** Grouped heads, a head of its own, a BPE vocabulary that is trained from the text. */
const bpe: RunDraft = {
  ...nano,
  version: SPEC_VERSION,
  corpus: { ...nano.corpus, tokenizer: { kind: "train", vocabSize: 512 } },
  model: { ...nano.model, vocabSize: 512, heads: 4, kvHeads: 2, tiedEmbedding: false, contextLength: 96 },
};
const lessons: Readonly<Record<string, Lesson>> = {
  nano: { draft: nano, steps: 300, prompts: PROMPTS, promptTokens: 24 }, // 64 tokens of context: the window slides
  micro: { draft: micro, steps: 40, prompts: PROMPTS, promptTokens: 48 },
  "nano with BPE": { draft: bpe, steps: 200, prompts: PROMPTS, promptTokens: 24 },
};

export function addFormatsCommand(program: Command, from: string): void {
  program
    .command("formats")
    .description("compare exported GGUF files with llama.cpp, installed at first use; exit code 1 when they differ")
    .option(
      "--keep <folder>",
      "also leave the models there as safetensors, for apps/cli/formats/read-with-transformers.py",
      (text) => resolve(from, text),
    )
    .action(async ({ keep }) => {
      if (!(await compareAll(keep, (line) => console.log(line)))) process.exitCode = 1;
      process.exit(); // llama.cpp's threads stay otherwise
    });
}

/** @returns whether all agree */
async function compareAll(keep: string | undefined, out: (line: string) => void): Promise<boolean> {
  const llama = await LlamaCpp.open(out);
  let agree = true;
  for (const [name, lesson] of Object.entries(lessons)) {
    const started = performance.now();
    const trained = await trainedModel(lesson);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    out(
      `${name}: ${trained.parameters.length} parameters, ${lesson.steps} steps in ${seconds} s, loss ${trained.loss.toFixed(3)} nats per token`,
    );
    if (keep !== undefined) await keepForTransformers(trained, join(keep, name.replaceAll(" ", "-")), TOKENS);
    for (const type of ["f32", "f16", "bf16", "q8_0"] as const) {
      const found = await compare(llama, trained, type, TOKENS);
      const fault = faultOf(found);
      out(`  ${lineOf(found)}${fault === undefined ? "" : `   FAILED: ${fault}`}`);
      agree &&= fault === undefined;
    }
  }
  await llama.close();
  out(agree ? "OK  llama.cpp and we agree" : "FAILED");
  return agree;
}

const lineOf = ({ type, prompts, same, worstLogProbability, encoded, texts }: Comparison): string =>
  `${type.padEnd(5)} ${same} of ${prompts} greedy continuations of ${TOKENS} tokens the same; log-probabilities within ${worstLogProbability.toExponential(1)}; ${encoded} of ${texts} texts encoded alike`;

/** Text that parts counts in f32 alone: rounded weights may prefer another token where two are nearly as likely. */
function faultOf({ type, prompts, same, worstLogProbability, encoded, texts }: Comparison): string | undefined {
  if (type === "f32" && same < prompts) return "texts part";
  if (!(worstLogProbability <= TOLERANCE[type])) return `log-probabilities differ by more than ${TOLERANCE[type]}`;
  return encoded < texts ? "texts are encoded otherwise" : undefined;
}
