// `gossamer sim`: swarms in one process, from a seed. Each subcommand is a file of its own here.
import { writeFile } from "node:fs/promises";
import { Argument, type Command, InvalidArgumentError } from "commander";
import { methods } from "#outer";
import { bugs, kindLines, linkFrom, type Scale, scaleLines, scalePlot, utilization, utilizationLines } from "#sim";
import { numberFrom } from "../options.ts";
import { compareCommand, quickDraft } from "./compare-command.ts";
import { headlineCommand, headlines } from "./headlines.ts";
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

/** What `--quick` stands for: three methods on 20,000 parameters, about a minute. */
const quick = {
  run: quickDraft,
  methods: ["ddp", "diloco", "sparseloco"],
  peers: 4,
  tokens: 200_000,
  seeds: 2,
  rates: [1],
};

function lineFrom(text: string): string {
  try {
    linkFrom(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

const numbersBetween =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!(text.trim() !== "" && value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    return value;
  };

export function addSimCommand(
  program: Command,
  /** Where file names start from, and the repository. */
  { from, root }: { readonly from: string; readonly root: string },
): void {
  const seed = numberFrom(0, 2 ** 32 - 1);
  const sim = program
    .command("sim")
    .description("a whole swarm under a virtual clock: replay one seed, or look for one that breaks a rule")
    .enablePositionalOptions()
    .option("--seed <seed>", "the run to replay", seed, 7)
    .option("--peers <count>", "instead of the number that the seed draws", numberFrom(1, 64))
    .option("--bug <name>", "with a planted bug")
    .option("--islands", "some of its peers seek islands", false)
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
    .option("--islands", "in each seed some peers seek islands", false)
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
    .command("compare")
    .description(
      "train a small decoder by several methods: loss against tokens, bytes and simulated time, with intervals",
    )
    .option("--methods <names>", `of ${methods.map(({ name }) => name).join(", ")}`, (text) => text.split(","), [
      "diloco",
      "sparseloco",
    ])
    .option(
      "--variant <composition>",
      "a method with fields of its spec set, under a name of your own (repeat for several)",
      (text, before: readonly string[]) => [...before, text],
      [],
    )
    .option("--run <name or file>", "preset or run spec: its model, data, H and inner optimizer", "nano")
    .option("--peers <count>", "peers", numberFrom(2, 32), 8)
    .option("--tokens <count>", "that are committed, over all peers", numberFrom(1_000, 1_000_000_000), 1_000_000)
    .option("--steps <H>", "inner steps from one exchange to the next (default: the run's)", numberFrom(1, 10_000))
    .option("--link <line>", "each peer's line, both ways, and its round trip", lineFrom, "20mbit/40ms")
    .option("--step-ms <ms>", "simulated time of an inner step", numbersBetween(0.1, 3_600_000), 100)
    .option("--spread <ratio>", "a round's step takes 1 to 1 + so many times that, by peer", numbersBetween(0, 10), 0)
    .option("--churn <share>", "of the peers that leave in 100 inner steps", numbersBetween(0, 1), 0)
    .option("--seeds <count>", "runs of each method: weights, data and churn differ", numberFrom(1, 100), 3)
    .option("--first-seed <seed>", "the first", numberFrom(0, 2 ** 31), 1)
    .option(
      "--rates <factors>",
      "of the inner learning rate: each method takes the best on the first seed",
      (text) => text.split(",").map(numbersBetween(0.001, 1000)),
      [0.5, 1, 2],
    )
    .option("--points <count>", "evaluations in a run", numberFrom(1, 1_000), 8)
    .option(
      "--quick",
      "three methods on 20,000 parameters, 200,000 tokens, unless other options say more: about a minute",
      false,
    )
    .option("--keep <file>", "remember each training there (JSON lines): a comparison that was cut off goes on")
    .option("--html <file>", "also write a page with plots")
    .option("--json", "print one JSON object", false)
    .addHelpText(
      "after",
      `
Each peer trains with an engine of its own (WASM); encode, fold and the mark are the ones that browsers use. Bytes are a peer's max(sent,
received), relayed ones included; "fewer bytes" compares them with f32 gradients over a ring at every step. The gap is in pairs: the same
seed, data and churn for both. Time is simulated; what a lesson costs in reality is printed beside it.

Examples:
  npm run sim -- compare --quick
  npm run sim -- compare --methods ddp,diloco,sparseloco --tokens 2000000 --seeds 5 --html compare.html
  npm run sim -- compare --methods diloco --variant '4-bit=diloco outer.codec={"name":"e3m0"} outer.blockSize='`,
    )
    .action(async ({ quick: isQuick, variant: variants, ...options }, command: Command) => {
      const unasked = Object.entries(quick).filter(([name]) => command.getOptionValueSource(name) === "default");
      const asked = isQuick ? { ...options, ...Object.fromEntries(unasked) } : options;
      await compareCommand({ ...asked, variants, from }, out, (line) => console.error(line));
    });
  sim
    .command("headline")
    .description("a paper's claim at small scale, over five seeds, with a verdict; exit code 1 when it is missed")
    .addArgument(new Argument("<name>", "which claim").choices(headlines.map(({ name }) => name)))
    .option("--short", "a few rounds of one seed: does it run?", false)
    .addHelpText(
      "after",
      `
${headlines.map(({ name, claim }) => `  ${name.padEnd(16)}${claim}`).join("\n")}

Each takes an hour or more; what was trained is kept in .cache/headlines.jsonl, and is shared among them:
remove it after a change of what is computed.`,
    )
    .action(async (name: string, { short }: { short: boolean }) =>
      failWhen(!(await headlineCommand({ name, root, short }, out, (line) => console.error(line)))),
    );
  sim
    .command("utilization")
    .description("how much of its time a peer on a home line trains, blocking and with overlap")
    .action(() => {
      for (const line of utilizationLines([false, true].map((overlap) => utilization(overlap)))) out(line);
    });
}
