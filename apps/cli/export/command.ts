// `gossamer export` on the command line.
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { type ExportType, exportFormats, exportTypes } from "#formats";
import { baseFrom, numberFrom } from "../options.ts";
import { exportModel } from "./export.ts";

export function addExportCommand(program: Command, from: string, dataOption: () => Option): void {
  program
    .command("export")
    .description("a run's anchor of now, or a checkpoint, as files that other tools load: safetensors or GGUF")
    .option(
      "--url <origin>",
      "a host to fetch it from, for example http://localhost:7070 (default: the data directory)",
      baseFrom,
    )
    .addOption(dataOption())
    .option("--run <id>", "a run's id (default: the host's, or the one that was written last)")
    .option(
      "--round <number>",
      "the checkpoint after so many rounds (default: a host's anchor of now, else the newest checkpoint)",
      numberFrom(0, 2 ** 31),
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
