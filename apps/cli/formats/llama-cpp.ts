// llama.cpp on this machine's processor, as a generator of ours: the same questions, the same answers to compare.
//
//   a GGUF file -> node-llama-cpp (its own process-wide library, f32 keys and values, one thread, no flash attention) -> log-probabilities of all tokens
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ModelShape } from "#wire";
import { installPackages } from "../install.ts";

const PACKAGES = {
  manifests: "formats/llama-package",
  name: "llama",
  what: "llama.cpp for Node (npm node-llama-cpp, 115 MB)",
};

interface Evaluated {
  readonly next: { readonly probabilities: ReadonlyMap<number, number> };
}
interface Sequence {
  clearHistory(): Promise<void>;
  controlledEvaluate(input: readonly (number | [number, object])[]): Promise<(Evaluated | undefined)[]>;
  evaluate(tokens: readonly number[], options: object): AsyncGenerator<number>;
}
interface LoadedModel {
  tokenize(text: string, special: boolean, options?: string): number[];
  detokenize(tokens: readonly number[]): string;
  createContext(options: object): Promise<{ getSequence(): Sequence; dispose(): Promise<void> }>;
  dispose(): Promise<void>;
}
/** As much of node-llama-cpp 3.21 as is used here. */
interface Library {
  getLlama(options: object): Promise<{ loadModel(options: object): Promise<LoadedModel>; dispose(): Promise<void> }>;
  readonly LlamaLogLevel: { readonly error: string };
}

/** All of the distribution, and every token possible. */
const AS_IT_IS = { temperature: 1, topK: 0, topP: 1, minP: 0 };

export class LlamaCpp {
  readonly #llama: Awaited<ReturnType<Library["getLlama"]>>;

  private constructor(llama: Awaited<ReturnType<Library["getLlama"]>>) {
    this.#llama = llama;
  }

  /** @throws InstallError */
  static async open(say: (line: string) => void): Promise<LlamaCpp> {
    const folder = await installPackages(PACKAGES, say);
    const entry = join(folder, "node_modules", "node-llama-cpp", "dist", "index.js");
    const { getLlama, LlamaLogLevel } = (await import(/* @vite-ignore */ pathToFileURL(entry).href)) as Library;
    const options = { gpu: false, build: "never", skipDownload: true, progressLogs: false, maxThreads: 1 };
    return new LlamaCpp(await getLlama({ ...options, logLevel: LlamaLogLevel.error }));
  }

  async load(path: string, model: ModelShape): Promise<LlamaCppModel> {
    const loaded = await this.#llama.loadModel({ modelPath: path, useMmap: false });
    const context = await loaded.createContext({
      ...{ contextSize: 2 * model.contextLength }, // one that is full is shifted by the library's own rule before we see the last answer
      ...{ batchSize: model.contextLength, threads: 1, flashAttention: false },
      ...{ experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32" }, // f16 by itself
    });
    return new LlamaCppModel(loaded, context.getSequence(), model);
  }

  close(): Promise<void> {
    return this.#llama.dispose();
  }
}

/** Answers as a generator does; its logits are log-probabilities. */
export class LlamaCppModel {
  readonly model: ModelShape;
  length = 0;
  readonly #loaded: LoadedModel;
  readonly #sequence: Sequence;

  constructor(loaded: LoadedModel, sequence: Sequence, model: ModelShape) {
    this.#loaded = loaded;
    this.#sequence = sequence;
    this.model = model;
  }

  tokenize(text: string): number[] {
    return this.#loaded.tokenize(text, false, "trimLeadingSpace");
  }

  detokenize(ids: readonly number[]): string {
    return this.#loaded.detokenize(ids);
  }

  async prefill(ids: ArrayLike<number>): Promise<Float32Array> {
    await this.#sequence.clearHistory();
    this.length = 0;
    return this.#read(Array.from(ids));
  }

  decode(id: number): Promise<Float32Array> {
    return this.#read([id]);
  }

  async #read(ids: readonly number[]): Promise<Float32Array> {
    const last: [number, object] = [ids[ids.length - 1], { generateNext: { probabilities: true, options: AS_IT_IS } }];
    const answers = await this.#sequence.controlledEvaluate([...ids.slice(0, -1), last]);
    this.length += ids.length;
    const { probabilities } = answers[answers.length - 1]!.next;
    const logits = new Float32Array(this.model.vocabSize).fill(Number.NEGATIVE_INFINITY);
    for (const [id, probability] of probabilities) logits[id] = Math.log(probability);
    return logits;
  }

  /** What llama.cpp's own greedy sampler goes on with, without a word of ours; the prompt and it must fit the context. */
  async greedy(prompt: readonly number[], tokens: number): Promise<number[]> {
    await this.#sequence.clearHistory();
    const ids: number[] = [];
    for await (const id of this.#sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
      ids.push(id);
      if (ids.length === tokens) break;
    }
    return ids;
  }

  close(): Promise<void> {
    return this.#loaded.dispose();
  }
}
