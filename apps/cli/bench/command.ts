// `gossamer bench`: measurements. Each is a file of its own here.
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { BLOB_BYTES_MAX, ROSTER_MAX } from "#wire";
import { builtPage } from "../../host/host.ts";
import { MODEL_NAMES } from "../models.ts";
import { listFrom, momentsOption, numberFrom, positiveNumber, precisionOption } from "../options.ts";
import { type BenchPageOptions, benchPage } from "../watch/bench-page.ts";
import { type BenchAllReduceOptions, benchAllReduce } from "./all-reduce.ts";
import { benchBrowsers } from "./browsers.ts";
import { writeBundle } from "./bundle.ts";
import { type BenchCorpusOptions, benchCorpus } from "./corpus.ts";
import { type AdapterWish, benchEngine } from "./engine.ts";
import { SHAPE_NAMES, wishOf } from "./engine-report.ts";
import { benchExchange } from "./exchange.ts";
import { type BenchGenerateOptions, benchGenerate } from "./generate.ts";
import { benchHost } from "./host.ts";
import { type BenchIslandOptions, benchIsland } from "./island.ts";
import { benchLine } from "./line.ts";
import { benchMemory } from "./memory.ts";
import { type BenchMomentsOptions, benchMoments } from "./moments.ts";
import { benchRivals, type RivalsOptions } from "./rivals.ts";
import { benchRun } from "./run.ts";
import { type BenchTokenizerOptions, benchTokenizer } from "./tokenizer.ts";

/** More than these would only wait for one another on one machine. */
const BROWSERS_MAX = 16;
const countsFrom = (text: string): number[] => text.split(",").map(numberFrom(1, BROWSERS_MAX));
const namesFrom = (text: string): string[] => text.split(",");

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

/** @param from where file names start from */
export function addBenchCommand(program: Command, from: string): void {
  const bench = program.command("bench").description("measure");
  bench
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
    .option(
      "--lora <rank>",
      "train adapters of that rank beside all layers, instead of all parameters",
      numberFrom(1, 256),
    )
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
    .option(
      "--bundle <dir>",
      "write this bench into a folder, for a machine without a network, and measure nothing here",
    )
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
  bench
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
  bench
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
  bench
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
  bench
    .command("browsers")
    .description(
      "what methods learn and cost in real browsers: a host, headless donors, the same tokens for each method",
    )
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
  bench
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
  bench
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
  bench
    .command("all-reduce")
    .description("an all-reduce's end, the residual and the norm in one kernel, beside a kernel for each (seconds)")
    .option("--rows <count>", "rows of activations: tokens of a microbatch", numberFrom(1, 65_536), 512)
    .option("--width <count>", "numbers of a row, a multiple of 4", numberFrom(4, 16_384), 768)
    .option("--shards <count>", "what other peers have sent", numberFrom(1, 8), 3)
    .option("--rounds <count>", "of each, in turn; medians count", numberFrom(1, 1000), 20)
    .option("--adapter <where>", "chromium, or dawn[:name] for Node", adapterFrom, "chromium")
    .option("--json", "print one JSON object", false)
    .action(async (options: BenchAllReduceOptions) => {
      await benchAllReduce(
        options,
        (line) => console.log(line),
        (line) => console.error(line),
      );
    });
  bench
    .command("island")
    .description(
      "a step of one model over several members, on lines of several kinds, with and without a ladder residual, measured and predicted (two minutes)",
    )
    .addOption(new Option("--model <name>", "what is cut").choices(["nano", "micro"]).default("micro"))
    .option("--ranks <count>", "members, 2 to 4", numberFrom(2, 4), 2)
    .option("--microbatch <count>", "sequences of each of the two microbatches of a step", numberFrom(1, 64), 2)
    .addOption(new Option("--exchange <kind>", "of partial sums").choices(["int8", "f32"]).default("int8"))
    .addOption(
      new Option("--form <form>", "of an all-reduce").choices(["direct", "reduce-scatter", "star"]).default("direct"),
    )
    .option("--rounds <count>", "of all lines, in turn; medians count", numberFrom(1, 100), 5)
    .option("--adapter <where>", "chromium, or dawn[:name] for Node", adapterFrom, "chromium")
    .option("--json", "print one JSON object", false)
    .action(async (options: BenchIslandOptions) => {
      await benchIsland(
        options,
        (line) => console.log(line),
        (line) => console.error(line),
      );
    });
  bench
    .command("moments")
    .description("a step with moments on disk, beside one with moments in memory (a minute)")
    .option("--model <name>", MODEL_NAMES, "micro")
    .option("--microbatch <count>", "sequences of a step", numberFrom(1, 64), 1)
    .addOption(momentsOption())
    .option("--steps <count>", "of each, in turn; medians count", numberFrom(1, 1000), 20)
    .option("--adapter <where>", "chromium, or dawn[:name] for Node", adapterFrom, "chromium")
    .option("--json", "print one JSON object", false)
    .action(async (options: Omit<BenchMomentsOptions, "from">) => {
      await benchMoments(
        { ...options, from },
        (line) => console.log(line),
        (line) => console.error(line),
      );
    });
  bench
    .command("page")
    .description("what a large run costs the page that watches it: script, interaction, memory (a minute)")
    .option("--peers <count>", "peers that are here", numberFrom(1, 10_000), 1_000)
    .option("--rounds <count>", "rounds behind it", numberFrom(2, 1_000_000), 100_000)
    .option("--seconds <count>", "so long the pushes are watched", numberFrom(2, 600), 20)
    .option("--json", "print one JSON object", false)
    .action(async (options: BenchPageOptions) => {
      if (!(await benchPage(options, (line) => console.log(line)))) process.exitCode = 1;
    });
  bench
    .command("line")
    .description(
      "what an update gets of a line of 20 Mbit/s and 40 ms, beside plain UDP over it (root, Linux: a NAT lab)",
    )
    .option(
      "--loss <ratio>",
      "share of packets that the line loses (repeat for several; default: 0 and 0.01)",
      ratioFrom,
    )
    .option("--bytes <count>", "size of an update", numberFrom(1, BLOB_BYTES_MAX), 8 * 2 ** 20)
    .option("--updates <count>", "updates, one after the other", numberFrom(1, 100), 4)
    .option("--json", "print one JSON object", false)
    .action(async ({ loss = [0, 0.01], bytes, updates, json }) => {
      const options = { lossRatios: loss, updateBytes: bytes, updates, json };
      await benchLine(options, (line) => console.log(line));
    });
  bench
    .command("tokenizer")
    .description("how long byte-level BPE takes to be trained, and how fast it encodes (made-up text, one thread)")
    .option("--megabytes <count>", "of text to train on", positiveNumber, 100)
    .option("--vocab-size <count>", "tokens", numberFrom(257, 65_536), 32_768)
    .option("--json", "print one JSON object", false)
    .action(
      async (options: BenchTokenizerOptions) => void (await benchTokenizer(options, (line) => console.log(line))),
    );
  bench
    .command("corpus")
    .description(
      "a made-up corpus prepared as a run's is: how fast, and whether memory stays flat; exit code 1 when not",
    )
    .option("--gb <count>", "size of the corpus, which lies on the disk meanwhile", positiveNumber, 1)
    .option("--vocab-size <count>", "tokens of the tokenizer that is trained", numberFrom(257, 65_536), 16_384)
    .option("--folder <dir>", "where it lies (default: the system's for temporary files)", (text) =>
      resolve(from, text),
    )
    .option("--json", "print one JSON object", false)
    .action(async (options: BenchCorpusOptions) => {
      const say = (line: string): void => console.error(line);
      if (!(await benchCorpus(options, (line) => console.log(line), say)).passed) process.exitCode = 1;
    });
  bench
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
    .option(
      "--zero-attention",
      "hold attention's output at zero: what is left is what a model without it learns",
      false,
    )
    .option("--json", "print one JSON object", false)
    .action(async (options) => {
      const say = (line: string): void => console.error(line);
      await benchRun({ ...options, from }, (line) => console.log(line), say);
    });
}
