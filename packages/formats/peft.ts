// A run's adapters as PEFT's files, for who has the base: LoRA's two matrices beside each adapted layer, under the names that they have in the run.
//
//   adapter_model.safetensors, adapter_config.json   (PEFT's checkpoint format, huggingface.co/docs/peft/developer_guides/checkpoint)
import { adapterTable } from "#outer";
import type { RunSpec } from "#wire";
import type { ExportFile, ExportType } from "./export.ts";
import { safetensorsHeader } from "./safetensors.ts";
import { FormatError } from "./source.ts";
import { bytesOf, plainBytes } from "./tensors-out.ts";

/** @param texts for the file's header. The source of its chunks holds the adapters alone. @throws FormatError */
export function planAdapters(
  { model, lora, base }: RunSpec,
  type: ExportType,
  texts: Readonly<Record<string, string>>,
): ExportFile[] {
  if (!lora || !base)
    throw new FormatError(
      "This run trains all of its parameters, so it has no adapters. Export it without --adapters.",
    );
  if (type === "q8_0") throw new FormatError("q8_0 is a type of GGUF: export adapters as f32, f16 or bf16.");
  const dtype = ({ f32: "F32", f16: "F16", bf16: "BF16" } as const)[type];
  const { tensors, length } = adapterTable(model, lora);
  const header = safetensorsHeader(
    tensors.map(({ name, shape }) => ({ name, shape, dtype })),
    { format: "pt", ...texts },
  );
  const config = new TextEncoder().encode(
    `${JSON.stringify(
      {
        peft_type: "LORA",
        task_type: "CAUSAL_LM",
        base_model_name_or_path: base.source,
        r: lora.rank,
        lora_alpha: lora.alpha,
        lora_dropout: 0,
        target_modules: lora.targets.map((target) => `${target}_proj`),
        bias: "none",
        fan_in_fan_out: false,
        use_rslora: false,
        use_dora: false,
        inference_mode: true,
      },
      null,
      2,
    )}\n`,
  );
  return [
    {
      name: "adapter_model.safetensors",
      bytes: header.length + bytesOf(length, dtype),
      async *chunks(source) {
        yield header;
        for (const place of tensors) yield* plainBytes(source, place, dtype);
      },
    },
    {
      name: "adapter_config.json",
      bytes: config.length,
      async *chunks() {
        yield config;
      },
    },
  ];
}
