// Our generator and llama.cpp on one exported model: the same prompts, token by token.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { continuation, createGenerator, type Generator, type Sampling } from "#engine/generation";
import { type ExportType, floatsOf, planExport } from "#formats";
import { writeFolder } from "../export/export.ts";
import type { LlamaCpp, LlamaCppModel } from "./llama-cpp.ts";
import type { TrainedModel } from "./trained.ts";

/** Always the likeliest. */
const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };

export interface Comparison {
  readonly type: ExportType;
  readonly prompts: number;
  /** Continuations that are ours, token by token. */
  readonly same: number;
  /** Of all tokens of the vocabulary, behind each token that both had before. */
  readonly worstLogProbability: number;
  /** Of the texts that llama.cpp cut into the tokens that we do. */
  readonly encoded: number;
  readonly texts: number;
}

/** What each tokenizer meets sooner or later: scripts, signs, spaces, digits, what is no word. */
const TEXTS = [
  "My fellow citizens, it's 1865; we've come 3,000 miles.",
  "  two spaces\n\n\tand a tab, \r\nand the end   ",
  "Übergröße, naïve café, señor, Ελληνικά, русский, עברית, العربية",
  "漢字とかな、한국어、हिन्दी、ไทย",
  "😀👩‍👩‍👧 e\u0301 \u00a0 \u200b ﬁ Ⅷ ½ ٣",
  "if (x<=10) { return a[i]*b->c; } // 'quoted' \"twice\"",
  "aaaaaaaaaaaaaaaaaaaaaaaa            zzz",
];

/** The three types of safetensors, and what our generator makes of the model, for read-with-transformers.py. @param folder made here */
export async function keepForTransformers(given: TrainedModel, folder: string, tokens: number): Promise<void> {
  const { model } = given.exported.spec;
  for (const type of ["f32", "f16", "bf16"] as const)
    await writeFolder(join(folder, type), planExport(given.exported, "safetensors", type), floatsOf(given.parameters));
  const ours = await createGenerator({ model, backend: "processor" });
  await ours.load(given.parameters);
  const continued: object[] = [];
  for (const whole of given.prompts) {
    const prompt = whole.slice(0, model.contextLength - 1);
    const { ids, logits } = await followed(ours, prompt, Math.min(tokens, model.contextLength - prompt.length)); // no window slides
    continued.push({ prompt, ids, logits: Array.from(logits[0]) });
  }
  const encoded = TEXTS.map((text) => ({ text, ids: [...given.tokenizer.encode(text)] }));
  await writeFile(join(folder, "expected.json"), JSON.stringify({ continued, encoded }));
}

export async function compare(
  llama: LlamaCpp,
  given: TrainedModel,
  type: ExportType,
  tokens: number,
): Promise<Comparison> {
  const folder = await mkdtemp(join(tmpdir(), "gossamer-gguf-"));
  try {
    const [weights] = planExport(given.exported, "gguf", type);
    const path = join(folder, weights.name);
    await writeFile(path, weights.chunks(floatsOf(given.parameters)));
    const { model } = given.exported.spec;
    const theirs = await llama.load(path, model);
    const ours = await createGenerator({ model, backend: "processor" });
    await ours.load(given.parameters);
    let [same, worst] = [0, 0];
    for (const prompt of given.prompts) {
      const [a, b] = [await followed(ours, prompt, tokens), await followed(asGenerator(theirs), prompt, tokens)];
      const native = await nativeGreedy(theirs, prompt, tokens);
      if (a.ids.join() === b.ids.join() && (native ?? a.ids).join() === a.ids.join()) same++;
      worst = Math.max(worst, worstOf(a, b));
    }
    const encoded = TEXTS.filter(
      (text) => theirs.tokenize(text).join() === [...given.tokenizer.encode(text)].join(),
    ).length;
    await theirs.close();
    return { type, prompts: given.prompts.length, same, worstLogProbability: worst, encoded, texts: TEXTS.length };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Where prompt and text fit the context llama.cpp needs no rule of ours: then its own sampler must say the same. */
const nativeGreedy = async (theirs: LlamaCppModel, prompt: readonly number[], tokens: number) =>
  prompt.length + tokens > theirs.model.contextLength ? undefined : theirs.greedy(prompt, tokens);

interface Followed {
  readonly ids: readonly number[];
  readonly logits: readonly Float32Array[]; // before each of them
}

/** A greedy continuation by our rule of the window, with what it was drawn from. */
async function followed(generator: Generator, prompt: readonly number[], tokens: number): Promise<Followed> {
  const logits: Float32Array[] = [];
  const kept = async (answer: Promise<Float32Array>): Promise<Float32Array> => {
    logits.push((await answer).slice());
    return logits[logits.length - 1];
  };
  const watched: Generator = {
    ...{ adapter: generator.adapter, model: generator.model, allocatedBytes: 0, lost: generator.lost },
    get length() {
      return generator.length;
    },
    load: (parameters) => generator.load(parameters),
    prefill: (ids) => kept(generator.prefill(ids)),
    decode: (id) => kept(generator.decode(id)),
    destroy() {},
  };
  const ids: number[] = [];
  for await (const id of continuation(watched, prompt, { sampling: GREEDY, tokens })) ids.push(id);
  return { ids, logits };
}

const asGenerator = (theirs: LlamaCppModel): Generator => ({
  ...{ adapter: undefined, model: theirs.model, allocatedBytes: 0, lost: new Promise<never>(() => {}) },
  get length() {
    return theirs.length;
  },
  load: async () => {},
  prefill: (ids) => theirs.prefill(ids),
  decode: (id) => theirs.decode(id),
  destroy() {},
});

/** As long as both have read the same, so only up to where their texts part. */
function worstOf(a: Followed, b: Followed): number {
  let worst = 0;
  for (let place = 0; place < a.logits.length; place++) {
    const [p, q] = [logSoftmax(a.logits[place]), logSoftmax(b.logits[place])];
    for (let id = 0; id < p.length; id++) worst = Math.max(worst, Math.abs(p[id] - q[id]));
    if (a.ids[place] !== b.ids[place]) break;
  }
  return worst;
}

function logSoftmax(logits: Float32Array): Float64Array {
  let sum = 0;
  const top = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  for (const value of logits) sum += Math.exp(value - top);
  return Float64Array.from(logits, (value) => value - top - Math.log(sum));
}
