// `gossamer sim`: swarms in one process, from a seed. Each subcommand is a file of its own here.
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { bugs, kindLines, type Scale, scaleLines, scalePlot, utilization, utilizationLines } from "#sim";
import { findBugs, fuzzSeeds, replaySeed } from "./runs.ts";
import { scaleOf } from "./scale-pool.ts";

interface ScaleCommand {
  readonly sizes: number[];
  readonly rounds?: number;
  readonly contributors: number;
  readonly svg?: string;
}

const out = (line: string): void => console.log(line);
const failWhen = (failed: boolean): void => {
  if (failed) process.exitCode = 1;
};

/** @param numberFrom a parser for whole numbers within bounds */
export function addSimCommand(
  program: Command,
  numberFrom: (min: number, max: number) => (text: string) => number,
): void {
  const seed = numberFrom(0, 2 ** 32 - 1);
  const sim = program
    .command("sim")
    .description("a whole swarm under a virtual clock: replay one seed, or look for one that breaks a rule")
    .enablePositionalOptions()
    .option("--seed <seed>", "the run to replay", seed, 7)
    .option("--peers <count>", "instead of the number that the seed draws", numberFrom(1, 64))
    .option("--bug <name>", "with a planted bug")
    .option("--trace", "also print every message", false)
    .addHelpText(
      "after",
      `
Examples:
  npm run sim -- --seed 7                     what this seed draws, what happens, and the verdict
  npm run sim -- --seed 7 --trace             with every message
  npm run sim -- fuzz --runs 2000             seeds 1 to 2000 on all cores; exit code 1 and the seed when one fails
  npm run sim -- bugs                         how many seeds it takes to find each planted bug
A seed means the same on every machine, for one version of the code.`,
    )
    .action((options) => {
      if (options.bug !== undefined && !bugs.some(({ name }) => name === options.bug))
        return sim.error(
          `error: no planted bug is named "${options.bug}"; there are ${bugs.map(({ name }) => name).join(", ")}`,
        );
      failWhen(!replaySeed(options, out));
    });
  sim
    .command("fuzz")
    .description("try seed after seed, with every kind of fault, until one breaks a rule")
    .option("--runs <count>", "seeds to try", numberFrom(1, 1_000_000), 2_000)
    .option("--seed <seed>", "the first", seed, 1)
    .option("--peers <count>", "instead of the number that each seed draws", numberFrom(1, 64))
    .action(async (options) => failWhen(!(await fuzzSeeds(options, out))));
  sim
    .command("bugs")
    .description("plant one known bug after the other, and look for it")
    .option("--runs <count>", "seeds to try for each", numberFrom(1, 100_000), 500)
    .option("--seed <seed>", "the first", seed, 1)
    .action(async (options) => failWhen(!(await findBugs(options, out))));
  sim
    .command("scale")
    .description("what a round costs each peer as the swarm grows: control bytes, update bytes, messages")
    .option(
      "--sizes <counts>",
      "peers, the smallest first",
      (text) => text.split(",").map(numberFrom(2, 10_000)),
      [10, 33, 100, 300, 1_000, 10_000],
    )
    .option("--rounds <count>", "that are measured (default: 3, of more than 1,000 peers 1)", numberFrom(1, 100))
    .option("--contributors <count>", "that a commit names at most, and members of a group", numberFrom(2, 32), 8)
    .option("--svg <file>", "also draw it")
    .action(async ({ sizes, rounds, contributors, svg }: ScaleCommand) => {
      const rows: Scale[] = [];
      for (const peers of sizes) {
        const before = process.cpuUsage();
        rows.push(await scaleOf({ peers, maxContributors: contributors, ...(rounds === undefined ? {} : { rounds }) }));
        const { user, system } = process.cpuUsage(before);
        const memory = process.resourceUsage().maxRSS / 1_000_000;
        out(`${peers} peers: ${((user + system) / 1e6).toFixed(0)} s of a processor, ${memory.toFixed(2)} GB at most`);
      }
      for (const line of ["", ...scaleLines(rows), "", ...kindLines(rows)]) out(line);
      if (svg !== undefined) await writeFile(svg, scalePlot(rows));
    });
  sim
    .command("utilization")
    .description("how much of its time a peer on a home line trains, blocking and with overlap")
    .action(() => {
      for (const line of utilizationLines([false, true].map((overlap) => utilization(overlap)))) out(line);
    });
}
