// `gossamer sim compare`: methods side by side on a real small decoder. Progress goes to stderr, the table (or JSON) to stdout.
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parameterTable } from "#outer";
import {
  type ComparePlan,
  compare,
  finalLoss,
  type Lesson,
  linkFrom,
  type Row,
  ringAllReduce,
  type Trained,
  train,
} from "#sim";
import { presets, type RunDraft } from "#wire";
import { loadDraft, methodOf } from "../../host/load-run.ts";
import { comparePage } from "./compare-page.ts";
import { variantFrom } from "./contestants.ts";
import { courseOf, openCourse } from "./course.ts";
import { openLessonBook } from "./lesson-book.ts";
import { endTrainers, openTrainers } from "./trainers.ts";

export interface CompareOptions {
  readonly methods: readonly string[];
  /** After them: "NAME=METHOD FIELD=VALUE …". */
  readonly variants: readonly string[];
  readonly run: string | RunDraft;
  readonly from: string;
  readonly peers: number;
  readonly tokens: number;
  readonly steps?: number;
  readonly link: string;
  readonly stepMs: number;
  readonly spread: number;
  readonly churn: number;
  readonly seeds: number;
  readonly firstSeed: number;
  readonly rates: readonly number[];
  readonly points: number;
  /** Lessons that are done are kept here, and not done again. */
  readonly keep?: string;
  readonly html?: string;
  readonly json: boolean;
}

/** 20,000 parameters: three methods in about a minute. */
export const quickDraft: RunDraft = {
  ...presets.nano,
  name: "quick: presidents, byte by byte",
  model: { ...presets.nano.model, dModel: 24, dFfn: 64, contextLength: 32 },
};

type Out = (line: string) => void;

export async function compareCommand(options: CompareOptions, out: Out, say: Out): Promise<readonly Row[]> {
  const { peers, tokens, stepMs, spread, churn, rates, points, steps } = options;
  const link = linkFrom(options.link);
  const chosen = [...options.methods.map(methodOf), ...options.variants.map(variantFrom)];
  const { run, from } = options;
  const book = await openCourse(typeof run === "string" ? await loadDraft(run, from) : { draft: run, folder: from });
  for (const method of chosen) courseOf(book, method, { seed: 0, rate: 1 }, { tokens, steps }); // a stack that makes no sense is refused before hours pass
  const seeds = Array.from({ length: options.seeds }, (_, i) => options.firstSeed + i);
  const plan: ComparePlan = { methods: chosen, seeds, rates, peers, tokens, link, stepMs, spread, churn, points };
  const { methods: _, seeds: __, rates: ___, ...setting } = plan; // what a lesson's outcome depends on beside its spec
  const { model, inner } = book.spec;
  const { length } = parameterTable(model);
  const ddpSteps = tokens / (peers * inner.windowsPerStep * model.contextLength);
  const ringBytes = ddpSteps * ringAllReduce(link, peers, 4 * length).sent;
  const lessons = await openLessonBook(options.keep === undefined ? undefined : resolve(options.from, options.keep));
  const trainers = await openTrainers(book.spec, peers);
  const lessonsInAll = chosen.length * (seeds.length + rates.length - 1);
  const startedAt = performance.now();
  let done = 0;
  try {
    const rows = await compare(
      plan,
      async (lesson, method) => {
        const course = courseOf(book, method, lesson, { tokens, steps });
        const trained = await lessons.once({ spec: course.spec, setting }, () => train(course, plan, trainers));
        done += 1;
        const seconds = (performance.now() - startedAt) / 1000;
        say(lessonLine(lesson, trained, `${done} of ${lessonsInAll}, ${seconds.toFixed(0)} s`));
        return trained;
      },
      ringBytes,
    );
    const report = { command: "sim compare", ...options, run: book.spec.name, parameters: length, ringBytes, rows };
    if (options.html !== undefined) await writeFile(resolve(options.from, options.html), await comparePage(report));
    if (options.json) out(JSON.stringify(report));
    else for (const line of tableLines(rows, report)) out(line);
    return rows;
  } finally {
    endTrainers(trainers);
  }
}

const lessonLine = ({ method, seed, rate }: Lesson, trained: Trained, progress: string): string =>
  `${method} seed ${seed} rate x${rate}: ${trained.diverged ? "diverged" : `loss ${finalLoss(trained).toFixed(4)}`}, ${trained.rounds} rounds, ${trained.checks} checks (${progress})`;

const withMargin = (mean: number, margin: number | undefined, digits: number): string =>
  margin === undefined ? mean.toFixed(digits) : `${mean.toFixed(digits)} ±${margin.toFixed(digits)}`;

export const inBytes = (bytes: number): string =>
  bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(2)} GB`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toFixed(2)} MB`
      : `${(bytes / 1e3).toFixed(0)} kB`;

export interface CompareReport extends Omit<CompareOptions, "run"> {
  readonly run: string;
  readonly parameters: number;
  readonly ringBytes: number;
  readonly rows: readonly Row[];
}

export const tableHead = [
  "method",
  "rate",
  "loss, nats",
  "gap to DDP",
  "bytes a peer",
  "fewer bytes",
  "burst",
  "simulated s",
  "trains",
] as const;

export const tableCells = (row: Row): string[] => [
  row.title,
  `x${row.rate}`,
  row.diverged > 0 ? `${row.diverged} of ${row.runs.length} diverged` : withMargin(row.loss.mean, row.loss.margin, 4),
  row.gap === undefined || row.diverged > 0
    ? "—"
    : `${withMargin(100 * row.gap.mean, row.gap.margin && 100 * row.gap.margin, 2)} %`,
  inBytes(row.bytes),
  `${row.fewerBytes.toFixed(row.fewerBytes < 10 ? 1 : 0)}x`,
  inBytes(row.burstBytes),
  row.seconds.toFixed(0),
  `${(100 * row.utilization).toFixed(1)} %`,
];

export const settingLine = ({
  run,
  parameters,
  peers,
  tokens,
  link,
  stepMs,
  spread,
  churn,
  seeds,
}: CompareReport): string =>
  `${run}, ${parameters} parameters; ${peers} peers, ${tokens} tokens, ${link}, ${stepMs} ms a step${spread > 0 ? ` to ${1 + spread} times that` : ""}, churn ${churn} in 100 steps, ${seeds} seed${seeds === 1 ? "" : "s"}`;

function tableLines(rows: readonly Row[], report: CompareReport): string[] {
  const cells = [[...tableHead], ...rows.map(tableCells)];
  const widths = tableHead.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return [
    settingLine(report),
    `DDP over a ring, f32 at every step, moves ${inBytes(report.ringBytes)} a peer; a burst is the most that one exchange moves.`,
    "",
    ...cells.map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "),
    ),
  ];
}
