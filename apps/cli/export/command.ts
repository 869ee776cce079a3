// `gossamer export` on the command line.
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { type ExportType, exportFormats, exportTypes } from "#formats";
import { withCheckpointOptions } from "../options.ts";
import { exportModel } from "./export.ts";

export function addExportCommand(program: Command, from: string, dataOption: () => Option): void {
  withCheckpointOptions(
    program
      .command("export")
      .description("a run's anchor of now, or a checkpoint, as files that other tools load: safetensors or GGUF"),
    dataOption,
  )
    .addOption(
      new Option("--format <name>", "safetensors: Hugging Face's layout; gguf: llama.cpp's file")
        .choices(exportFormats)
        .default("safetensors"),
    )
    .addOption(
      new Option("--dtype <name>", "how weights are stored; q8_0 in GGUF alone")
        .choices(Object.keys(exportTypes) as ExportType[])
        .default("f32"),
    )
    .option("--adapters", "of a run that trains adapters those alone, as PEFT's files, for who has the base", false)
    .requiredOption("--out <folder>", "made here, whole or not at all", (text) => resolve(from, text))
    .option("--json", "print one JSON object", false)
    .addHelpText(
      "after",
      `
Beside the weights lie a model card (README.md), the run's spec (run.json, whose SHA-256 is the run's id) and provenance.json: round, anchor, the log's entry
that sealed it, and who gave how many tokens, signed by the run's host key. The same checkpoint gives the same bytes again.
In transformers:  AutoModelForCausalLM.from_pretrained("FOLDER")        In llama.cpp:  llama-cli -m FOLDER/NAME.gguf -p "My fellow citizens"`,
    )
    .action(async (options) => {
      const say = (line: string): void => console.error(line);
      await exportModel(options, (line) => console.log(line), say);
    });
}
