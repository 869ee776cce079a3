// `gossamer`: reads the command line and starts what it names. The bootstrap (bootstrap.mjs) has installed and built by now.
import { homedir } from "node:os";
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { SLOTS_MAX } from "#wire";
import { BUILD } from "../host/build.ts";
import { builtPage } from "../host/host.ts";
import { DUTY_MIN } from "../web/controls/settings.ts";
import { addAccessCommands } from "./access-command.ts";
import { addAskCommands, addressFrom } from "./ask/command.ts";
import { addBackupCommands } from "./backup/command.ts";
import { addBenchCommand } from "./bench/command.ts";
import { addBillCommand } from "./bill.ts";
import { findBrowser } from "./browser.ts";
import { addDataCommand } from "./data/command.ts";
import { demo } from "./demo.ts";
import { donateCommand, exitCodes } from "./donate/command.ts";
import { addEvaluateCommand } from "./evaluate/command.ts";
import { addExportCommand } from "./export/command.ts";
import { addFormatsCommand } from "./formats/command.ts";
import { addGcCommand } from "./gc.ts";
import { generate } from "./generate.ts";
import { tell } from "./host-command.ts";
import { addHostCommand } from "./host-options.ts";
import { MODEL_NAMES } from "./models.ts";
import { momentsOption, numberFrom, positiveNumber, precisionOption, withCheckpointOptions } from "./options.ts";
import { planCommand } from "./plan.ts";
import { replay, replayLines } from "./replay.ts";
import { replayRemote } from "./replay-remote.ts";
import { addRunCommand } from "./run-command.ts";
import { addSimCommand } from "./sim/command.ts";
import { addTokenCommand } from "./token-command.ts";
import { takeScreenshots } from "./watch/screenshots.ts";

/** npm runs scripts in the package's folder; file names are meant from where the user stands. */
const from = process.env.INIT_CWD ?? process.cwd();
/** The repository: this bundle lies in dist/node. */
const root = resolve(builtPage(), "..", "..");
const dataDefault = resolve(root, "data");

/** Its bounds are the sampler's to say. */
function numberText(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

const dataOption = (): Option =>
  new Option("--data <dir>", "data directory: key, log, blobs")
    .env("GOSSAMER_DATA")
    .default(dataDefault, "data/ in the project's folder")
    .argParser((text) => resolve(from, text));

const program = new Command("gossamer")
  .description("Train one transformer in borrowed browsers.")
  .version(BUILD, "-v, --version", "show the version")
  .helpOption("-h, --help", "show this help")
  .showHelpAfterError("(--help explains)")
  .enablePositionalOptions() // an option of a command within a command is that one's, also where both have it: sim fuzz --seed
  .addHelpText(
    "after",
    `
Examples:
  npm start                                   host a run on http://localhost:7070; open it and press "Donate this GPU"
  npm start -- --run nano                     a model small enough for machines without a GPU
  npm start -- --share                        also for other machines in your network (HTTPS)
  npm start -- --run nano --donors 2          with two headless browsers that donate
  npm run demo                                host, two donors, live lines, a summary
  npm run gossamer -- replay --eval           fold the log again and compare every anchor
  npm run gossamer -- run new my-run.json     a run spec of your own to begin with`,
  );

addHostCommand(program, from, dataOption);

program
  .command("donate")
  .description("donate this machine's GPU, or its processor, without a browser")
  .argument("<url>", "as `gossamer host` prints it under Donate; with ?run=ID for another run than the host's first")
  .addOption(
    new Option("--data <dir>", "the donor's key, slots and fetched text")
      .env("GOSSAMER_DONOR")
      .default(resolve(homedir(), ".gossamer-donor"), "~/.gossamer-donor")
      .argParser((text) => resolve(from, text)),
  )
  .option("--duty <percent>", "part of the time in which it trains", numberFrom(DUTY_MIN * 100, 100), 100)
  .option("--data-cap <GB>", "pause for the day after so much, sent and received (default: none)", positiveNumber)
  .addOption(
    new Option("--backend <backend>", "auto: a GPU if Dawn finds one, else what is faster")
      .choices(["auto", "webgpu", "wasm"])
      .default("auto"),
  )
  .option("--adapter <name>", "the GPU with that in its name")
  .option("--name <text>", "shown to others", "")
  .option("--identity <file>", "a key that a browser exported, so that credit stays together", (text) =>
    resolve(from, text),
  )
  .option("--passphrase-file <file>", "its passphrase (or GOSSAMER_PASSPHRASE)", (text) => resolve(from, text))
  .option(
    "--slot <number>",
    "which of the key's slots (default: the first that no process of --data has)",
    numberFrom(0, SLOTS_MAX - 1),
  )
  .option("--relay-only", "no other volunteer sees this machine's address", false)
  .option("--json", "print a JSON object for each change", false)
  .addHelpText(
    "after",
    `
The first start installs WebRTC for Node (26 MB) and, unless --backend wasm, Dawn (51 MB) into .cache. Several processes of one --data share
its key, a slot each. A key that a browser uses too needs a slot that no tab has, for example --slot 8.

Exit codes:
  ${exitCodes.done}  the run has ended, or Ctrl-C
  ${exitCodes.failed}  it stopped unexpectedly, or --data cannot be used
  ${exitCodes.unreachable}  there is no such host or run
  ${exitCodes.refused}  the host refuses this peer: full, another version, banned
  ${exitCodes.unfit}  this machine cannot train it: no GPU, too little memory, wrong results`,
  )
  .action(async (url: string, options) => process.exit(await donateCommand({ ...options, url })));

addAskCommands(program, from);
addBackupCommands(program, from, dataOption);
addDataCommand(program, from, dataOption);
addGcCommand(program, dataOption);

program
  .command("replay")
  .description("fold a run's log again and compare every sealed anchor; exit code 1 when one differs")
  .addOption(dataOption())
  .addOption(
    new Option("--url <address>", "a host anywhere instead: fetches its log and blobs first").argParser(addressFrom),
  )
  .option("--run <id>", "a run's id (default: the run that was written last)")
  .option("--eval", "also compute the last evaluation again, on the CPU reference", false)
  .option("--export <folder>", "also hold what `gossamer export` wrote against the fold", (text) => resolve(from, text))
  .option("--json", "print one JSON object", false)
  .addHelpText(
    "after",
    `
Checked, in this order, and the first that is wrong is named with its round and entry:
  log          each entry follows the one before and is signed by the host's key
  offers       each contribution that a commit names is signed by its volunteer
  anchors      the stored updates fold to the hash of each seal, from genesis or the oldest checkpoint with all updates after it
  evaluation   with --eval: the last one within 0.02 nats per token
  export       with --export: provenance as the log has it and the host signed it, weights byte for byte what that round folds to
It only reads: the host may go on meanwhile.`,
  )
  .action(async (options) => {
    const { url, run } = options;
    const report =
      url === undefined ? await replay(options) : await replayRemote(url, run, options.eval, options.export);
    for (const line of options.json ? [JSON.stringify(report)] : replayLines(report)) console.log(line);
    if (!report.ok) process.exitCode = 1;
  });

withCheckpointOptions(
  program
    .command("generate")
    .description("a text continued by a run's anchor of now, or a checkpoint, on this processor"),
  dataOption,
)
  .requiredOption("--prompt <text>", "what it continues")
  .option("--tokens <count>", "how many it writes", numberFrom(1, 1_000_000), 200)
  .option("--temperature <number>", "0: always the likeliest token; 1: as the model says; at most 2", numberText, 0.8)
  .option("--top-k <count>", "only so many of the likeliest tokens; 0: all", numberFrom(0, 65_536), 0)
  .option("--top-p <ratio>", "of those only the fewest that have so much of the probability together", numberText, 0.95)
  .option("--seed <number>", "what chance draws from", numberFrom(0, 2 ** 32 - 1), 1)
  .option("--json", "print one JSON object at the end instead", false)
  .addHelpText(
    "after",
    `
The text goes to stdout as it is written, what else there is to say to stderr. The same checkpoint, prompt, settings and seed give the same
text again; a GPU's rounding differs, so in the page it may part where two tokens are nearly as likely.
A prompt longer than the model's context counts with its last part; past the context the last half of the text is read anew.`,
  )
  .action(async (options) => {
    const say = (line: string): void => console.error(line);
    process.stdout.on("error", () => process.exit(0)); // who reads has read enough: | head
    await generate(options, (text) => process.stdout.write(text), say);
  });

addEvaluateCommand(program, from, dataOption);
addExportCommand(program, from, dataOption);

program
  .command("demo")
  .description("a host and headless browsers in one terminal, until the evaluation loss is low enough; then a replay")
  .option("--run <name or file>", "preset or run spec", "nano")
  .option("--donors <count>", "headless browsers", numberFrom(1, 64), 2)
  .option("--minutes <count>", "stop after so many", positiveNumber, 20)
  .option("--target-loss <nats>", "stop when an evaluation is below this, in nats per token", positiveNumber, 2.1)
  .option("--data <dir>", "keep the run there (default: a temporary directory)", (text) => resolve(from, text))
  .addOption(new Option("--port <port>", "0: any free one").default(0).argParser(numberFrom(0, 65_535)))
  .action(async (options) => {
    const passed = await demo({ ...options, from, page: builtPage() }, (line) => console.log(line));
    process.exit(passed ? 0 : 1);
  });

program
  .command("plan")
  .description("what a model takes of a GPU's memory, and the largest that fits; exit code 1 when it does not")
  .argument("[name or file]", MODEL_NAMES, "micro")
  .option("--microbatch <count>", "sequences at once (default: the model's)", numberFrom(1, 4096))
  .option("--memory <GB>", "how much may be used: recomputes as many layers as that takes", positiveNumber)
  .option(
    "--recompute <layers>",
    "layers whose activations are computed again in the backward pass",
    numberFrom(0, 127),
  )
  .addOption(momentsOption())
  .addOption(precisionOption())
  .option("--mark", "with the mark on the device, where updates are made then: what the page tries first", false)
  .option("--json", "print one JSON object", false)
  .action(async (run: string, { microbatch, memory, recompute, mark, ...how }) => {
    const given = { run, from, microbatch, memoryGb: memory, recomputedLayers: recompute };
    const options = { ...given, keepsMark: mark, ...how };
    if (!(await planCommand(options, (line) => console.log(line)))) process.exitCode = 1;
  });

addBillCommand(program, from);
addBenchCommand(program, from);
addFormatsCommand(program, from);
addSimCommand(program, { from, root });

addRunCommand(program, from);
addTokenCommand(program, dataOption);
addAccessCommands(program, from);

program
  .command("screenshots")
  .description("take the pictures of the page that the README shows, over a run that is made up")
  .argument("[names...]", "of these alone")
  .option("--out <dir>", "folder to write to", "docs/screenshots")
  .action((names: string[], options: { out: string }) =>
    takeScreenshots(resolve(from, options.out), names, (line) => console.log(line)),
  );
program
  .command("browser")
  .description("print the Chromium that donors, benches and tests use; fetches one when there is none")
  .action(async () => console.log((await findBrowser()).path));

program.parseAsync().catch((error) => {
  tell(error);
  process.exitCode = 1;
});
