// `gossamer bench generate`: how fast models continue a text on this machine's adapter, and on its processor.
import { english } from "../../web/words/format.ts";
import { loadModel } from "../models.ts";
import { type GenerateWish, type GenerationMeasurement, measureGeneration } from "./generate-measure.ts";
import { onAdapter } from "./on-adapter.ts";

export interface BenchGenerateOptions {
  readonly models: readonly string[]; // presets or files
  readonly from: string;
  readonly prompt: number;
  readonly tokens: number;
  readonly rounds: number;
  readonly adapter: string;
  readonly json: boolean;
}

/** Prints through `out`; `say` hears of an installation, and of the page. */
export async function benchGenerate(
  { models, from, prompt, tokens, rounds, adapter, json }: BenchGenerateOptions,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<void> {
  for (const name of models) {
    const { model } = await loadModel(name, from);
    const measured = await measure({ model, prompt, tokens, rounds }, adapter, say);
    for (const line of json ? [JSON.stringify({ model: name, ...measured })] : lines(name, measured)) out(line);
  }
}

const measure = (wish: GenerateWish, adapter: string, say: (line: string) => void): Promise<GenerationMeasurement> =>
  onAdapter(adapter, say, {
    entry: "apps/cli/bench/generate-page.ts",
    inPage: (page) => page.evaluate((given) => globalThis.generation(given), wish),
    inNode: () => measureGeneration(wish),
  });

const perSecond = (rate: number): string => `${rate < 10 ? rate.toFixed(1) : english.count(rate)}`.padStart(8);

const lines = (name: string, { parameters, prompt, tokens, speeds }: GenerationMeasurement): string[] => [
  `${name}: ${parameters.toLocaleString("en")} parameters, a prompt of ${prompt} tokens, ${tokens} more`,
  ...speeds.map(
    ({ engine, bytes, prefillPerSecond, decodePerSecond }) =>
      `  prefill ${perSecond(prefillPerSecond)}/s   decode ${perSecond(decodePerSecond)}/s   ${english.bytes(bytes).padStart(8)}   ${engine}`,
  ),
];
