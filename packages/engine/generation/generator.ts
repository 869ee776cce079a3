// A generator: a model that continues a text, one id after the other, on one device. Keys and values of what it has read are kept (a KV cache).
//
//   load(flat parameters) -> prefill(ids of the prompt) -> logits -> decode(id) -> logits -> …
import type { ModelShape } from "#wire";
import type { AdapterDescription } from "../engine.ts";

export interface Generator {
  /** Undefined: the processor, in plain TypeScript. */
  readonly adapter: AdapterDescription | undefined;
  readonly model: ModelShape;
  /** Of the device's memory, or of the page's where there is no device. */
  readonly allocatedBytes: number;
  /** Ids read since the last prefill; at most the model's contextLength. */
  readonly length: number;
  /** Replaces the parameters (flat, in the order of outer's parameterTable), and forgets what was read. */
  load(parameters: Float32Array): Promise<void>;
  /** Forgets what was read, and reads these ids (1 to contextLength). @returns the logits (V) of the next one. Rejects with DeviceLostError, GpuError. */
  prefill(ids: ArrayLike<number>): Promise<Float32Array>;
  /** Reads one more. RangeError when the context is full. */
  decode(id: number): Promise<Float32Array>;
  /** Resolves when the device is lost, with the reason; never on the processor. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  destroy(): void;
}

/** RangeError for what no generator reads. */
export function checkIds(ids: ArrayLike<number>, length: number, { vocabSize, contextLength }: ModelShape): void {
  if (ids.length === 0) throw new RangeError("a text to continue has at least one token");
  if (length + ids.length > contextLength)
    throw new RangeError(`${length + ids.length} tokens are more than the context of ${contextLength}`);
  for (let i = 0; i < ids.length; i++)
    if (!(ids[i] < vocabSize)) throw new RangeError(`token id ${ids[i]} is none of a vocabulary of ${vocabSize}`);
}
