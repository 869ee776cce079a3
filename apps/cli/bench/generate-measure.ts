// How fast a model continues a text: reading a prompt, and one token after the other, on WebGPU and on the processor in turn.
import { createGenerator, describeAdapter, type Generator } from "#engine/generation";
import { genesisParameters, parameterTable } from "#outer";
import type { ModelShape } from "#wire";

export interface GenerateWish {
  readonly model: ModelShape;
  /** Of the prompt; the model's context at most. */
  readonly prompt: number;
  /** Decoded behind it, once a round; all of it stays within the context. */
  readonly tokens: number;
  readonly rounds: number;
}

/** Medians over the rounds. */
interface GenerationSpeed {
  readonly engine: string;
  readonly bytes: number;
  readonly prefillPerSecond: number;
  readonly decodePerSecond: number;
}

export interface GenerationMeasurement {
  readonly parameters: number;
  readonly prompt: number;
  readonly tokens: number;
  readonly speeds: readonly GenerationSpeed[];
}

export async function measureGeneration({ model, rounds, ...wish }: GenerateWish): Promise<GenerationMeasurement> {
  const prompt = Math.min(wish.prompt, model.contextLength - 1);
  const tokens = Math.min(wish.tokens, model.contextLength - prompt);
  const parameters = genesisParameters(model, 1);
  const ids = Array.from({ length: prompt }, (_, i) => (i * 7919) % model.vocabSize);
  const generators = [await createGenerator({ model }), await createGenerator({ model, backend: "processor" })];
  for (const generator of generators) {
    await generator.load(parameters);
    await generator.prefill(ids.slice(0, 1)); // the first one warms up
    await generator.decode(1);
  }
  const times = generators.map(() => ({ prefill: [] as number[], decode: [] as number[] }));
  for (let round = 0; round < rounds; round++)
    for (const [i, generator] of generators.entries()) {
      const started = performance.now();
      await generator.prefill(ids);
      const read = performance.now();
      for (let token = 0; token < tokens; token++) await generator.decode(token % model.vocabSize);
      times[i].prefill.push(read - started);
      times[i].decode.push(performance.now() - read);
    }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  const nameOf = (generator: Generator): string => {
    if (!generator.adapter || !adapter) return "processor";
    const { vendor, architecture, description } = describeAdapter(adapter);
    return description || `${vendor} ${architecture}`;
  };
  const speeds = generators.map((generator, i) => ({
    engine: nameOf(generator),
    bytes: generator.allocatedBytes,
    prefillPerSecond: (1000 * prompt) / median(times[i].prefill),
    decodePerSecond: (1000 * tokens) / median(times[i].decode),
  }));
  for (const generator of generators) generator.destroy();
  return { parameters: parameterTable(model).length, prompt, tokens, speeds };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
