// `gossamer evaluate` on the command line.
import { resolve } from "node:path";
import type { Command, Option } from "commander";
import { numberFrom, withCheckpointOptions } from "../options.ts";
import { evaluate } from "./evaluate.ts";

export function addEvaluateCommand(program: Command, from: string, dataOption: () => Option): void {
  withCheckpointOptions(
    program
      .command("evaluate")
      .description(
        "how good a run's anchor of now, or a checkpoint, is: on its held-out text, or on questions of your own",
      ),
    dataOption,
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
