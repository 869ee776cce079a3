// `gossamer`: reads the command line and starts what it names. The bootstrap (bootstrap.mjs) has installed and built by now.
import { writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { relative, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { methods, parameterTable } from "#outer";
import { BLOB_BYTES_MAX, presets, ROSTER_MAX, SLOTS_MAX } from "#wire";
import { BUILD } from "../host/build.ts";
import { builtPage } from "../host/host.ts";
import { loadDraft, SpecError } from "../host/load-run.ts";
import { turnUrlFault } from "../host/turn.ts";
import { DUTY_MIN } from "../web/controls/settings.ts";
import { benchBrowsers } from "./bench/browsers.ts";
import { writeBundle } from "./bench/bundle.ts";
import { type AdapterWish, benchEngine } from "./bench/engine.ts";
import { SHAPE_NAMES, wishOf } from "./bench/engine-report.ts";
import { benchExchange } from "./bench/exchange.ts";
import { type BenchGenerateOptions, benchGenerate } from "./bench/generate.ts";
import { benchHost } from "./bench/host.ts";
import { benchLine } from "./bench/line.ts";
import { benchMemory } from "./bench/memory.ts";
import { benchRivals, type RivalsOptions } from "./bench/rivals.ts";
import { benchRun } from "./bench/run.ts";
import { findBrowser } from "./browser.ts";
import { demo } from "./demo.ts";
import { donateCommand, exitCodes } from "./donate/command.ts";
import { generate } from "./generate.ts";
import { hostCommand, tell } from "./host-command.ts";
import { MODEL_NAMES } from "./models.ts";
import { planCommand } from "./plan.ts";
import { replay, replayLines } from "./replay.ts";
import { addSimCommand } from "./sim/command.ts";
import { specReference } from "./spec-reference.ts";
import { type BenchPageOptions, benchPage } from "./watch/bench-page.ts";
import { takeScreenshots } from "./watch/screenshots.ts";

/** npm runs scripts in the package's folder; file names are meant from where the user stands. */
const from = process.env.INIT_CWD ?? process.cwd();
/** The repository: this bundle lies in dist/node. */
const root = resolve(builtPage(), "..", "..");
const dataDefault = resolve(root, "data");
/** Half of a home's uplink of 40 Mbit/s, so that log, checkpoints and the page still get through. A rented server has more. */
const RELAY_MBIT = 20;

function numberFrom(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** More than these would only wait for one another on one machine. */
const BROWSERS_MAX = 16;
const countsFrom = (text: string): number[] => text.split(",").map(numberFrom(1, BROWSERS_MAX));
const namesFrom = (text: string): string[] => text.split(",");
const listFrom = (text: string, before: readonly string[]): string[] => [...before, text];

function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}

/** Its bounds are the sampler's to say. */
function numberText(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

function hostFrom(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("The address of a host, for example http://localhost:7070");
  return new URL(text).origin;
}

function ratioFrom(text: string, before: readonly number[] = []): number[] {
  const value = Number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError("It must be a ratio below 1, for example 0.01.");
  return [...before, value];
}

function adapterFrom(text: string): AdapterWish {
  if (!/^(chromium|software|hardware|dawn|dawn:.+)$/.test(text))
    throw new InvalidArgumentError("One of chromium, software, hardware, dawn, dawn:NAME.");
  return text as AdapterWish;
}

function originFrom(text: string, before: readonly string[] = []): string[] {
  if (!URL.canParse(text) || new URL(text).origin !== text)
    throw new InvalidArgumentError("An origin is scheme, name and port alone, for example https://example.org:8443");
  return [...before, text];
}

function turnUrlFrom(text: string, before: readonly string[] = []): string[] {
  const fault = turnUrlFault(text);
  if (fault !== undefined) throw new InvalidArgumentError(fault);
  return [...before, text];
}

const dataOption = (): Option =>
  new Option("--data <dir>", "data directory: key, log, blobs")
    .env("GOSSAMER_DATA")
    .default(dataDefault, "data/ in the project's folder")
    .argParser((text) => resolve(from, text));

const precisionOption = (): Option =>
  new Option("--precision <kind>", "f16: activations and weights take half the memory (adapters with shader-f16)")
    .choices(["f32", "f16"])
    .default("f32");
const momentsOption = (): Option =>
  new Option("--moments <kind>", "how AdamW's moments are kept between steps").choices(["f32", "8bit"]).default("f32");

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

program
  .command("host")
  .description("serve the page, order the log, keep updates and checkpoints")
  .addOption(
    new Option("--port <port>", "TCP port of page and signaling")
      .env("PORT")
      .default(7070)
      .argParser(numberFrom(0, 65_535)),
  )
  .addOption(new Option("--host <address>", "address to listen on").env("HOST").default("127.0.0.1"))
  .addOption(dataOption())
  .option(
    "--run <name or file>",
    "preset (nano, micro) or a run spec as JSON; with +METHOD by that method: nano+sparseloco",
    "micro",
  )
  .option("--share", "listen on all addresses, with HTTPS on a generated certificate")
  .option("--donors <count>", "start so many headless browsers that donate", numberFrom(0, 64), 0)
  .option(
    "--relay-mbit <rate>",
    "Mbit/s that this host relays for peers that cannot connect, half of it for one; 0: none",
    numberFrom(0, 100_000),
    RELAY_MBIT,
  )
  .option("--wait-for <peers>", "open the first round when so many are ready to train", numberFrom(1, ROSTER_MAX), 1)
  .addOption(new Option("--only <part>", "start one part alone").choices(["signaling"]))
  .addOption(new Option("--page <dir>", "serve this build of the page").default(builtPage(), "dist/web").hideHelp())
  .option("--allow-origin <origin>", "page of another origin that may connect (repeat for several)", originFrom)
  .option("--turn <url>", "TURN server for pairs that cannot connect directly (repeat for several)", turnUrlFrom)
  .option(
    "--turn-secret-file <file>",
    "coturn's static-auth-secret: each peer gets a login of its own, for a day",
    (text) => resolve(from, text),
  )
  .option("--turn-user <name>", "a login that the TURN server knows, the same for every peer")
  .option("--turn-password-file <file>", "its password", (text) => resolve(from, text))
  .addHelpText(
    "after",
    `
The run goes on where it was when host, spec and data directory are the same: the log in the data directory is the run.
Ctrl-C stops the host; nothing that was acknowledged is lost. A second Ctrl-C stops it at once.`,
  )
  .action((options) => hostCommand({ ...options, from, page: resolve(from, options.page) }));

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

program
  .command("replay")
  .description("fold a stored run's log again and compare every sealed anchor; exit code 1 when one differs")
  .addOption(dataOption())
  .option("--run <id>", "a run's id (default: the run that was written last)")
  .option("--eval", "also compute the last evaluation again, on the CPU reference", false)
  .option("--json", "print one JSON object", false)
  .addHelpText(
    "after",
    `
Checked, in this order, and the first that is wrong is named with its round and entry:
  log          each entry follows the one before and is signed by the host's key
  offers       each contribution that a commit names is signed by its volunteer
  anchors      the stored updates fold to the hash of each seal, from genesis or the oldest checkpoint with all updates after it
  evaluation   with --eval: the last one within 0.02 nats per token
It only reads: the host may go on meanwhile.`,
  )
  .action(async (options) => {
    const report = await replay(options);
    for (const line of options.json ? [JSON.stringify(report)] : replayLines(report)) console.log(line);
    if (!report.ok) process.exitCode = 1;
  });

program
  .command("generate")
  .description("a text continued by a run's anchor of now, or a checkpoint, on this processor")
  .option(
    "--url <origin>",
    "a host to fetch it from, for example http://localhost:7070 (default: the data directory)",
    hostFrom,
  )
  .addOption(dataOption())
  .option("--run <id>", "a run's id (default: the host's, or the one that was written last)")
  .option(
    "--round <number>",
    "the checkpoint after so many rounds (default: a host's anchor of now, else the newest checkpoint)",
    numberFrom(0, 2 ** 31),
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

program
  .command("demo")
  .description("a host and headless browsers in one terminal, until the evaluation loss is low enough; then a replay")
  .option("--run <name or file>", "preset or run spec", "nano")
  .option("--donors <count>", "headless browsers", numberFrom(1, 64), 2)
  .option("--minutes <count>", "stop after so many", positiveNumber, 20)
  .option("--target-loss <nats>", "stop when an evaluation is below this, in nats per byte", positiveNumber, 2.1)
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

const benchCommand = program.command("bench").description("measure");
benchCommand
  .command("engine")
  .description("one training step on this machine's adapter, beside its best plain matmul")
  .addOption(new Option("--shape <name>", "model to measure").choices(SHAPE_NAMES).default("nano"))
  .option("--steps <count>", "timed steps", numberFrom(1, 1000), 20)
  .option("--microbatch <count>", "sequences per microbatch (default: the model's)", numberFrom(1, 1024))
  .option(
    "--adapter <where>",
    "chromium, software or hardware (Chromium's alone), dawn or dawn:NAME (in Node)",
    adapterFrom,
    "chromium",
  )
  .addOption(new Option("--backend <backend>", "what trains").choices(["webgpu", "wasm"]).default("webgpu"))
  .option("--recompute <layers>", "layers whose activations are computed again (WebGPU)", numberFrom(0, 127))
  .addOption(precisionOption())
  .option("--profile", "also print the milliseconds of each kernel (WebGPU)", false)
  .option(
    "--tune",
    "also look for faster variants of the kernels, as a peer does while it trains (WebGPU; with dawn kept in .cache/tuning.json)",
    false,
  )
  .option("--device", "also measure the device: a large plain matmul, a copy, and kernels that move memory", false)
  .option(
    "--matmul <size>",
    "rows and columns of that matmul (default: 4096, on a software adapter 512)",
    numberFrom(16, 16_384),
  )
  .option("--pytorch <python>", "also the same step in eager PyTorch, f32 and bf16, by a Python that has torch")
  .option("--peak <TFLOP/s>", "the card's f32 peak without tensor cores, from its data sheet", positiveNumber)
  .option("--json", "print one JSON object", false)
  .option("--bundle <dir>", "write this bench into a folder, for a machine without a network, and measure nothing here")
  .addHelpText(
    "after",
    `
Dawn is WebGPU for Node (npm webgpu, 51 MB): the first run with --adapter dawn or --bundle installs it into .cache/dawn, unless
DAWN_FOR_NODE names its folder. dawn:llvmpipe or dawn:NVIDIA takes the adapter with that in its name.`,
  )
  .action(async ({ adapter, json, bundle, pytorch, peak, ...flags }) => {
    const say = (line: string): void => console.error(line);
    const out = (line: string): void => console.log(line);
    if (bundle !== undefined) await writeBundle(resolve(from, bundle), out, say);
    else {
      const peakFlopsPerSecond = peak === undefined ? undefined : peak * 1e12;
      await benchEngine({ ...wishOf(flags), adapter, json, pytorch, peakFlopsPerSecond }, out, say);
    }
  });
benchCommand
  .command("memory")
  .description(
    "is what the planner predicts what the engine takes? Exit code 1 when it is not, or is more than --memory",
  )
  .argument("[name or file]", MODEL_NAMES, "gpt2-small")
  .option("--microbatch <count>", "sequences at once (default: the model's)", numberFrom(1, 4096))
  .option("--memory <GB>", "what it may take: recomputes as many layers as that needs", positiveNumber)
  .option("--recompute <layers>", "layers whose activations are computed again", numberFrom(0, 127))
  .addOption(momentsOption())
  .option("--step", "also train one step (gpt2-small: most of an hour on a software adapter)", false)
  .option("--json", "print one JSON object", false)
  .action(async (run: string, { microbatch, memory, recompute, moments, step, json }) => {
    const options = { run, from, microbatch, memoryGb: memory, recomputedLayers: recompute, moments, step, json };
    const { passed } = await benchMemory(options, (line) => console.log(line));
    if (!passed) process.exitCode = 1;
  });
benchCommand
  .command("rivals")
  .description("the engine beside TensorFlow.js and jax-js: the same decoder, weights and batch, in one Chromium")
  .addOption(new Option("--shape <name>", "one shape alone (default: both)").choices(["S", "M"]))
  .option("--repeats <count>", "timed steps of each contestant", numberFrom(5, 100), 11)
  .option(
    "--tune",
    "ours looks for faster cuts of its kernels before its steps are timed, as a peer does while it trains",
    false,
  )
  .option("--colds <count>", "cold starts of each contestant, each in a fresh browser", numberFrom(1, 20), 3)
  .option("--json", "print one JSON object", false)
  .addHelpText(
    "after",
    `
  S  d=64  L=2 heads=2 T=64  B=8 V=256   0.403 GFLOP a step
  M  d=128 L=4 heads=4 T=128 B=4 V=512   3.02 GFLOP a step

The first run installs the rivals' packages (90 MB) into .cache/rivals; nothing else of the project uses them. All start from the same
weights and see the same batch; AdamW, clipping, f32, the loss read in each step. Contestants take turns, a step each. One whose loss
leaves the CPU reference's curve, or whose device reports an error, is refused, and the exit code is 1. On a software adapter it takes
2 minutes for S and 8 for M: progress goes to stderr, the result to stdout.`,
  )
  .action(async ({ shape, ...options }: { shape?: "S" | "M" } & Omit<RivalsOptions, "shapes">) => {
    const shapes = shape === undefined ? (["S", "M"] as const) : [shape];
    await benchRivals(
      { ...options, shapes },
      (line) => console.log(line),
      (line) => console.error(line),
    );
  });
benchCommand
  .command("host")
  .description("how many peers one host holds, and how long they wait; exit code 1 when it is more than it promises")
  .option("--sockets <count>", "peers that only listen", numberFrom(2, ROSTER_MAX), 10_000)
  .option(
    "--signals <rate>",
    "signals a second from one peer to another, through the host",
    numberFrom(1, 10_000),
    1_000,
  )
  .option("--seconds <count>", "of those", numberFrom(1, 3_600), 60)
  .option("--churn <rate>", "peers that leave and come a minute", numberFrom(1, 60_000), 1_000)
  .option("--churn-minutes <count>", "of that; 0: none", numberFrom(0, 600), 10)
  .option("--json", "print one JSON object", false)
  .addHelpText(
    "after",
    `
All of it is on this machine's loopback, whose addresses the sockets share out among them (Linux). Each end needs a file for each socket:
ulimit -n 20000. The host is a process of its own; one headless donor makes commits.`,
  )
  .action(async (options) => {
    const kept = await benchHost(
      options,
      (line) => console.log(line),
      (line) => console.error(line),
    );
    process.exit(kept ? 0 : 1);
  });
benchCommand
  .command("browsers")
  .description("what methods learn and cost in real browsers: a host, headless donors, the same tokens for each method")
  .option("--run <name or file>", "preset or run spec", "nano")
  .option("--browsers <counts>", "how many donate, one after the other", countsFrom, [2, 4, 8])
  .option("--methods <names>", "methods, as `run methods` lists them", namesFrom, ["diloco"])
  .option("--variant <text>", "a method with fields changed, as in sim compare (repeat for several)", listFrom, [])
  .option("--tokens <count>", "tokens that a run learns from", numberFrom(1, 1e12), 1_000_000)
  .option("--seed <number>", "of the run", numberFrom(0, 2 ** 32 - 1), 1)
  .option("--minutes <count>", "give one up after so long", numberFrom(1, 24 * 60), 30)
  .addOption(new Option("--page <dir>", "serve this build of the page").default(builtPage(), "dist/web").hideHelp())
  .option("--json", "print one JSON object for each", false)
  .addHelpText(
    "after",
    `
Example: npm run bench -- browsers --browsers 2,4 --variant '2bit=diloco outer.codec={"name":"two-bit","feedback":1} outer.blockSize='
Nano's million tokens take eight browsers on two cores about five minutes. Bytes are the larger of sent and received, per peer.`,
  )
  .action(async ({ variant, ...options }) => {
    const given = { ...options, variants: variant, from };
    await benchBrowsers(
      given,
      (line) => console.log(line),
      (line) => console.error(line),
    );
  });
benchCommand
  .command("exchange")
  .description("what an offer and a seal cost where the CPU keeps the mark, and where the device does (a minute)")
  .option("--rounds <count>", "rounds of each, in turn", numberFrom(1, 100), 7)
  .option("--adapter <where>", "chromium, or dawn[:name] for Node", adapterFrom, "chromium")
  .option("--json", "print one JSON object for each model", false)
  .action(async (options: { rounds: number; adapter: string; json: boolean }) => {
    await benchExchange(
      { ...options, from },
      (line) => console.log(line),
      (line) => console.error(line),
    );
  });
benchCommand
  .command("generate")
  .description("how fast models continue a text, on WebGPU and on the processor (a minute or two)")
  .argument("[models...]", MODEL_NAMES, ["nano", "micro", "gpt2-small"])
  .option("--prompt <count>", "tokens of the prompt, within the model's context", numberFrom(1, 32_768), 32)
  .option("--tokens <count>", "tokens behind it, within the model's context", numberFrom(1, 32_768), 24)
  .option("--rounds <count>", "of each engine, in turn; medians count", numberFrom(1, 100), 3)
  .option("--adapter <where>", "chromium, or dawn[:name] for Node", adapterFrom, "chromium")
  .option("--json", "print one JSON object for each model", false)
  .action(async (models: string[], options: Omit<BenchGenerateOptions, "models" | "from">) => {
    await benchGenerate(
      { ...options, models, from },
      (line) => console.log(line),
      (line) => console.error(line),
    );
  });
benchCommand
  .command("page")
  .description("what a large run costs the page that watches it: script, interaction, memory (a minute)")
  .option("--peers <count>", "peers that are here", numberFrom(1, 10_000), 1_000)
  .option("--rounds <count>", "rounds behind it", numberFrom(2, 1_000_000), 100_000)
  .option("--seconds <count>", "so long the pushes are watched", numberFrom(2, 600), 20)
  .option("--json", "print one JSON object", false)
  .action(async (options: BenchPageOptions) => {
    if (!(await benchPage(options, (line) => console.log(line)))) process.exitCode = 1;
  });
benchCommand
  .command("line")
  .description(
    "what an update gets of a line of 20 Mbit/s and 40 ms, beside plain UDP over it (root, Linux: a NAT lab)",
  )
  .option("--loss <ratio>", "share of packets that the line loses (repeat for several; default: 0 and 0.01)", ratioFrom)
  .option("--bytes <count>", "size of an update", numberFrom(1, BLOB_BYTES_MAX), 8 * 2 ** 20)
  .option("--updates <count>", "updates, one after the other", numberFrom(1, 100), 4)
  .option("--json", "print one JSON object", false)
  .action(async ({ loss = [0, 0.01], bytes, updates, json }) => {
    const options = { lossRatios: loss, updateBytes: bytes, updates, json };
    await benchLine(options, (line) => console.log(line));
  });
benchCommand
  .command("run")
  .description("how a run learns, without browsers")
  .option("--run <name or file>", "preset or run spec", "nano")
  .option("--peers <count>", "peers", numberFrom(1, 32), 2)
  .option("--rounds <count>", "rounds", numberFrom(1, 10_000), 30)
  .option(
    "--set <field=value>",
    "change a field of the spec, for example outer.momentum=0.9 (repeat for several)",
    listFrom,
    [],
  )
  .addOption(momentsOption())
  .addOption(precisionOption())
  .addOption(
    new Option(
      "--engine <name>",
      "WASM; WebGPU through Dawn (as in bench engine); or the CPU reference: some 15 times slower, the same losses on every machine",
    )
      .choices(["wasm", "dawn", "reference"])
      .default("wasm"),
  )
  .option("--zero-attention", "hold attention's output at zero: what is left is what a model without it learns", false)
  .option("--json", "print one JSON object", false)
  .action(async (options) => {
    const say = (line: string): void => console.error(line);
    await benchRun({ ...options, from }, (line) => console.log(line), say);
  });

addSimCommand(program, numberFrom, { from, root });

const runCommand = program.command("run").description("write and check run specs");
runCommand
  .command("new")
  .description("write a preset into a file, to make your own run of it")
  .argument("<file>", "JSON file that is not there yet", (text) => resolve(from, text))
  .addOption(new Option("--preset <name>", "what to begin with").choices(Object.keys(presets)).default("nano"))
  .action(async (file: string, { preset }: { preset: keyof typeof presets }) => {
    await writeFile(file, `${JSON.stringify(presets[preset], null, 2)}\n`, { flag: "wx" }).catch((error: Error) => {
      throw new SpecError(`${file} is not written: ${error.message}`);
    });
    console.log(`${file} holds the preset ${preset}. Change it, then:  npm start -- --run ${relative(from, file)}`);
    console.log(
      'For a text of your own: "corpus": { "kind": "file", "path": "./book.txt", "source": …, "licence": … }',
    );
  });
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
    console.log(`${file} is a valid run: "${draft.name}", ${parameterTable(draft.model).length} parameters.`);
  });

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
