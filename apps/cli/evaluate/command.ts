// `gossamer evaluate` on the command line.
import { resolve } from "node:path";
import type { Command, Option } from "commander";
import { baseFrom, numberFrom } from "../options.ts";
import { evaluate } from "./evaluate.ts";

export function addEvaluateCommand(program: Command, from: string, dataOption: () => Option): void {
  program
    .command("evaluate")
    .description(
      "how good a run's anchor of now, or a checkpoint, is: on its held-out text, or on questions of your own",
    )
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
    .option(
      "--tasks <file>",
      "multiple-choice questions, one JSON object a line, instead of the held-out text",
      (text) => resolve(from, text),
    )
    .option("--windows <count>", "so many windows of the held-out text (default: all)", numberFrom(1, 10_000_000))
    .option("--json", "print one JSON object", false)
    .addHelpText(
      "after",
      `
A question is {"prompt": "Two and two are", "choices": [" four", " five"], "answer": 0, "task": "sums"}; "task" may be left out. The model's answer is the
choice that it holds the likeliest behind the prompt; per byte, the likeliest by its length, so that long choices are not punished.
Everything is computed on this processor; what is measured is the same on any machine, to rounding.`,
    )
    .action(async (options) => {
      const say = (line: string): void => console.error(line);
      await evaluate(options, (line) => console.log(line), say);
    });
}
