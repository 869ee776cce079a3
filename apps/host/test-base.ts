// A base for tests: a folder in Hugging Face's layout with those weights.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesFrom, configOf, type FloatType, safetensorsHeader } from "#formats";
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";

export async function writeBase(
  folder: string,
  model: ModelShape,
  parameters: Float32Array,
  dtype: FloatType = "F32",
): Promise<void> {
  const { tensors } = parameterTable(model);
  const header = safetensorsHeader(
    tensors.map(({ name, shape }) => ({ name, dtype, shape })),
    { format: "pt" },
  );
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "model.safetensors"), Buffer.concat([header, bytesFrom(parameters, dtype)]));
  const config = configOf(model, dtype, { bos: null, eos: null, pad: null });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
}
