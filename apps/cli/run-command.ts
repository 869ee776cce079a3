// `gossamer run`: writes and checks run specs, and decides about the runs of a host that is up.
import type { Command } from "commander";
import { methods, parameterTable, sharedTable } from "#outer";
import { loadDraft } from "../host/load-run.ts";
import { addNewRunCommand } from "./new-run/command.ts";
import { addRunActions } from "./run-actions.ts";
import { specReference } from "./spec-reference.ts";

/** @param from where file names start from */
export function addRunCommand(program: Command, from: string): void {
  const runCommand = program
    .command("run")
    .description("write and check run specs; start, pause and end runs of a host");
  addNewRunCommand(runCommand, from);
  runCommand
    .command("methods")
    .description("the methods that a run can name, for --run PRESET+METHOD and sim compare --methods")
    .action(() => {
      for (const { name, title, source, parity } of methods)
        console.log(`${name.padEnd(16)}${title.padEnd(16)}${parity.padEnd(6)}${source}`);
    });
  runCommand
    .command("reference")
    .description("every field of a run spec: its values and its meaning, as a Markdown table")
    .action(() => {
      for (const line of specReference()) console.log(line);
    });
  runCommand
    .command("check")
    .description("is this file a valid run spec? Names the field, the reason and an example when not")
    .argument("<file>", "preset or JSON file")
    .action(async (file: string) => {
      const { draft } = await loadDraft(file, from);
      console.log(
        `${file} is a valid run: "${draft.name}", ${parameterTable(draft.model).length} parameters${draft.lora ? `, ${sharedTable(draft).length} of adapters beside them` : ""}.`,
      );
    });
  addRunActions(runCommand, from);
}
