// `npm run headline -- NAME`: a paper's claim at small scale, over at least five seeds, with a verdict. What was trained is kept, so it goes on where it was
// cut off; the outcome, with commit and machine, is a JSON file for docs/headlines.
import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { type Estimate, estimate, finalLoss, type Row } from "#sim";
import { type CompareOptions, compareCommand, quickDraft } from "./compare-command.ts";

interface Claim {
  readonly what: string;
  readonly measured: Estimate;
  /** It holds when the mean is not above this. */
  readonly limit: number;
}

interface Headline {
  readonly name: string;
  readonly claim: string;
  readonly methods: readonly string[];
  readonly variants?: readonly string[];
  readonly claims: (row: (name: string) => Row) => Claim[];
}

/** Of the losses, in pairs. */
const gap = (to: Row, from: Row): Estimate =>
  estimate(to.runs.map((run, i) => finalLoss(run) / finalLoss(from.runs[i]) - 1));
const lossClaim = (to: Row, from: Row, limit: number): Claim => ({
  what: `${to.title}'s loss over ${from.title}'s, less 1`,
  measured: gap(to, from),
  limit,
});
const ratioClaim = (what: string, value: number, limit: number): Claim => ({
  what,
  measured: estimate([value]),
  limit,
});

export const headlines: readonly Headline[] = [
  {
    name: "diloco",
    claim: "DiLoCo is within 2 % of DDP's loss at equal tokens, with at least 100 times fewer bytes",
    methods: ["ddp", "diloco"],
    claims: (row) => [
      lossClaim(row("diloco"), row("ddp"), 0.02),
      ratioClaim("bytes over those of a ring at every step", 1 / row("diloco").fewerBytes, 0.01),
    ],
  },
  {
    name: "streaming",
    claim: "Streaming DiLoCo in 4 bits is within 1 % of f32 DiLoCo's loss at a tenth of its peak",
    methods: ["ddp", "streaming"],
    variants: ['diloco-f32=diloco outer.codec={"name":"f32"} outer.blockSize='],
    claims: (row) => [
      lossClaim(row("streaming"), row("diloco-f32"), 0.01),
      ratioClaim(
        "most bytes of one exchange, over f32 DiLoCo's",
        row("streaming").burstBytes / row("diloco-f32").burstBytes,
        0.1,
      ),
    ],
  },
  {
    name: "sparseloco",
    claim: "SparseLoCo's loss is no worse than DiLoCo's, with far fewer bytes",
    methods: ["ddp", "diloco", "sparseloco"],
    // An eighth of the values: in the thirty rounds that there are, a sixty-fourth does not get far.
    variants: ['sparseloco-512=sparseloco outer.codec={"name":"chunk-top-k","chunk":4096,"k":512,"feedback":0.95}'],
    claims: (row) => [
      lossClaim(row("sparseloco-512"), row("diloco"), 0),
      ratioClaim("bytes over DiLoCo's", row("sparseloco-512").bytes / row("diloco").bytes, 0.1),
      lossClaim(row("sparseloco"), row("diloco"), 0),
    ],
  },
  {
    name: "one-step-delay",
    claim:
      "one-step delay is within 2 % of DiLoCo's loss, and trains more than 95 % of the time on a line of 20 Mbit/s",
    methods: ["ddp", "diloco", "one-step-delay"],
    claims: (row) => [
      lossClaim(row("one-step-delay"), row("diloco"), 0.02),
      ratioClaim("share of the time in which it does not train", 1 - row("one-step-delay").utilization, 0.05),
    ],
  },
  {
    name: "noloco",
    claim: "NoLoCo is within 3 % of DiLoCo's loss, without a barrier: bytes and waiting do not grow with the swarm",
    methods: ["ddp", "diloco", "noloco"],
    claims: (row) => [lossClaim(row("noloco"), row("diloco"), 0.03)],
  },
];

/**
 * H = 72, so that DiLoCo's int8 blocks are 106 times fewer bytes than a ring's. The line and the step are scaled to the model: 20,088 parameters on
 * 0.324 Mbit/s take as long as the micro preset's 1.24 million on 20 Mbit/s, at 30 ms a step as in `sim utilization`.
 */
const setting: Omit<CompareOptions, "methods" | "variants" | "from"> = {
  run: quickDraft,
  peers: 4,
  tokens: 2_000_000,
  steps: 72,
  link: "0.324mbit/40ms",
  stepMs: 30,
  spread: 0,
  churn: 0,
  seeds: 5,
  firstSeed: 1,
  rates: [0.5, 1, 2],
  points: 10,
  json: false,
};

type Out = (line: string) => void;

/** @param short a few rounds of one seed: does it run? Nothing is judged or written then. @returns whether each claim holds */
export async function headlineCommand(
  { name, root, short }: { readonly name: string; readonly root: string; readonly short: boolean },
  out: Out,
  say: Out,
): Promise<boolean> {
  const { claim, methods, variants = [], claims } = headlines.find((headline) => headline.name === name)!;
  const keep = join(root, ".cache", "headlines.jsonl");
  await mkdir(dirname(keep), { recursive: true });
  const scaled = short ? { tokens: 8_000, steps: 4, seeds: 1, rates: [1], points: 1 } : {};
  const options = { ...setting, ...scaled, methods, variants, from: root, ...(short ? {} : { keep }) };
  out(`${name}: ${claim}`);
  const rows = await compareCommand(options, out, say);
  if (short) return true;
  const row = (wanted: string): Row => rows.find(({ method }) => method === wanted)!;
  const verdicts = claims(row).map((each) => ({ ...each, holds: each.measured.mean <= each.limit }));
  out("");
  for (const { what, measured, limit, holds } of verdicts)
    out(
      `${holds ? "HOLDS  " : "MISSED "} ${what}: ${inPercent(measured.mean)}${measured.margin === undefined ? "" : ` ±${inPercent(measured.margin)}`}, at most ${inPercent(limit)}`,
    );
  const file = join(root, "docs", "headlines", `${name}.json`);
  await mkdir(dirname(file), { recursive: true });
  const { run, from: _, keep: __, ...asked } = options;
  const about = { name, claim, command: `npm run headline -- ${name}`, commit: commitOf(root), machine: machine() };
  const report = { ...about, run: typeof run === "string" ? run : run.name, options: asked, verdicts, rows };
  await writeFile(file, `${JSON.stringify(report, null, 1)}\n`);
  out(`Written to docs/headlines/${name}.json.`);
  return verdicts.every(({ holds }) => holds);
}

const inPercent = (value: number): string => `${(100 * value).toFixed(2)} %`;

const machine = (): string =>
  `${cpus().length} cores, ${cpus()[0]?.model.trim() ?? "unknown"}, Node ${process.version}`;

function commitOf(root: string): string {
  try {
    const git = (...args: string[]): string => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
    return `${git("rev-parse", "HEAD")}${git("status", "--porcelain", "--", ".", ":!docs/headlines") === "" ? "" : ", with changes"}`;
  } catch {
    return "unknown: no git repository";
  }
}
