// A Llama as safetensors: the tensors of the flat vector as they are, under their names, in one file (our largest model, in f32, is below 2.2 GB).
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import type { FloatType } from "./floats.ts";
import { safetensorsHeader } from "./safetensors.ts";
import { bytesOf, type FloatSource, plainBytes } from "./tensors-out.ts";

export interface SafetensorsPlan {
  readonly bytes: number;
  /** The file, from its first byte to its last. Rejects with FormatError when the type cannot hold a value. */
  chunks(source: FloatSource): AsyncGenerator<Uint8Array>;
}

/** @param metadata texts for the file's header, beside the "format" that transformers asks for */
export function planSafetensors(
  model: ModelShape,
  type: FloatType,
  metadata: Readonly<Record<string, string>>,
): SafetensorsPlan {
  const { tensors, length } = parameterTable(model);
  const header = safetensorsHeader(
    tensors.map(({ name, shape }) => ({ name, shape, dtype: type })),
    { format: "pt", ...metadata },
  );
  return {
    bytes: header.length + bytesOf(length, type),
    async *chunks(source) {
      yield header;
      for (const place of tensors) yield* plainBytes(source, place, type);
    },
  };
}
