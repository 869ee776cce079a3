// What was measured, as numbers for --json and as lines for people.
import type { MatmulShape } from "#engine";
import type { Entrant } from "./field.ts";
import { LOSS_TOLERANCE } from "./gate.ts";
import { type BenchShape, type ShapeName, stepFlops, stepMatmuls } from "./shapes.ts";

/** One contestant at one shape, as its page gave it: everything in milliseconds, bytes and counts. */
export interface Measured {
  readonly entrant: Entrant;
  /** Why its speed counts for nothing: a loss off the reference's curve, an error of the device. */
  readonly fault?: string;
  readonly losses: readonly number[];
  readonly stepsMs: readonly number[];
  /** From having the code to the first loss, each in a browser with a fresh profile. */
  readonly coldMs: readonly number[];
  readonly bytesPeak: number;
  readonly bytesCreated: number;
  readonly dispatchesPerStep: number;
  readonly submitsPerStep: number;
  /** By the products of matmulsToTime(), a list of repeats each; empty when they are not timed. */
  readonly matmulsMs: readonly (readonly number[])[];
  readonly msByKernel?: Readonly<Record<string, number>>;
}

interface EntrantReport {
  readonly name: string;
  readonly backend: Entrant["backend"];
  readonly ours: boolean;
  readonly fault?: string;
  readonly stepMs: number;
  readonly tokensPerSecond: number;
  readonly gflopsPerSecond: number;
  /** Of the best plain product at 512³ of any contestant on the same backend. */
  readonly ofCeiling: number;
  readonly firstLossMs: number;
  readonly bytesPeak: number;
  readonly bytesCreated: number;
  readonly dispatchesPerStep: number;
  readonly submitsPerStep: number;
  /** 0: its products are not timed alone. */
  readonly matmul512GflopsPerSecond: number;
  /** The furthest that a loss was from the reference's, nats. */
  readonly lossApart: number;
}

interface MatmulReport extends MatmulShape {
  readonly timesPerStep: number;
  readonly oursMs: number;
  readonly rivalMs: number;
  readonly rival: string;
}

export interface ShapeReport {
  readonly shape: ShapeName;
  readonly gflopsPerStep: number;
  readonly entrants: readonly EntrantReport[];
  /** Ours over the best rival on the same backend, in tokens per second: the median of the rounds' own ratios. */
  readonly speedup: Partial<Record<Entrant["backend"], number>>;
  readonly ceilingGflopsPerSecond: Partial<Record<Entrant["backend"], number>>;
  /** What ours on WebGPU is to reach: the lower of four times the best rival's tokens per second and 0.8 of the ceiling. */
  readonly goalTokensPerSecond?: number;
  /** The step's own products on WebGPU, ours beside the best rival's. */
  readonly matmuls: readonly MatmulReport[];
  /** Ours on WebGPU: a step's time over the summed time of its matrix products, each dispatch timed alone; the best of each, because others use the machine. */
  readonly stepOverMatmuls?: number;
  /** The same with attention's kernels, whose products they hold, among them. */
  readonly stepOverMatmulsAndAttention?: number;
}

export interface RivalsReport {
  readonly browser: string;
  readonly adapter: string;
  readonly cores: number;
  readonly repeats: number;
  readonly colds: number;
  /** Ours was tuned before its steps were timed. */
  readonly tuned: boolean;
  readonly loadAverage: readonly [before: number, after: number];
  readonly versions: Readonly<Record<string, string>>;
  readonly shapes: readonly ShapeReport[];
}

/** Far ahead of whoever is best, or close to what the adapter can do at all. */
const GOAL = { timesRival: 4, ofCeiling: 0.8 };

const PLAIN: MatmulShape = { form: "nn", M: 512, N: 512, K: 512 };

/** First the plain product, in each form that ours has, then the step's own. */
export function matmulsToTime(shape: BenchShape): readonly MatmulShape[] {
  const forms = ["nn", "nt", "tn"] as const;
  return [...forms.map((form) => ({ ...PLAIN, form })), ...stepMatmuls(shape).map((own) => own.shape)];
}

const PLAIN_COUNT = 3;

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const flopsOf = ({ M, N, K }: MatmulShape): number => 2 * M * N * K;
const gigaPerSecond = (flops: number, ms: number): number => flops / ms / 1e6;

/** A rival's time over ours in the same round, the median of all rounds: the machine's speed changes from one to the next, for both alike. */
const overOwn = (rival: readonly number[], own: readonly number[]): number =>
  median(own.flatMap((ms, round) => (round < rival.length ? [rival[round] / ms] : [])));

export function reportShape(
  name: ShapeName,
  shape: BenchShape,
  measured: readonly Measured[],
  reference: readonly number[],
): ShapeReport {
  const flops = stepFlops(shape);
  const tokens = shape.B * shape.model.contextLength;
  const sound = measured.filter(({ fault }) => fault === undefined);
  const plain = ({ matmulsMs }: Measured): number =>
    Math.max(0, ...matmulsMs.slice(0, PLAIN_COUNT).map((times) => gigaPerSecond(flopsOf(PLAIN), median(times))));
  const speedup: Partial<Record<Entrant["backend"], number>> = {};
  const ceilings: Partial<Record<Entrant["backend"], number>> = {};
  for (const backend of ["webgpu", "wasm"] as const) {
    const here = sound.filter(({ entrant }) => entrant.backend === backend);
    if (here.length > 0) ceilings[backend] = Math.max(...here.map(plain));
    const own = here.find(({ entrant }) => entrant.ours);
    const rivals = here.filter(({ entrant }) => !entrant.ours);
    if (!own || rivals.length === 0) continue;
    speedup[backend] = Math.min(...rivals.map(({ stepsMs }) => overOwn(stepsMs, own.stepsMs)));
  }
  const entrants = measured.map((m): EntrantReport => {
    const stepMs = median(m.stepsMs);
    const gflopsPerSecond = gigaPerSecond(flops, stepMs);
    return {
      name: m.entrant.name,
      backend: m.entrant.backend,
      ours: m.entrant.ours,
      ...(m.fault !== undefined && { fault: m.fault }),
      stepMs,
      tokensPerSecond: (1000 * tokens) / stepMs,
      gflopsPerSecond,
      ofCeiling: gflopsPerSecond / (ceilings[m.entrant.backend] ?? Number.NaN),
      firstLossMs: median(m.coldMs),
      bytesPeak: m.bytesPeak,
      bytesCreated: m.bytesCreated,
      dispatchesPerStep: m.dispatchesPerStep,
      submitsPerStep: m.submitsPerStep,
      matmul512GflopsPerSecond: plain(m),
      lossApart: Math.max(...m.losses.map((loss, i) => Math.abs(loss - reference[i]))),
    };
  });
  const own = sound.find(({ entrant }) => entrant.ours && entrant.backend === "webgpu");
  const goal = (ours: Measured, overRival: number, ceiling: number): number =>
    Math.min(
      (GOAL.timesRival * 1000 * tokens) / (overRival * median(ours.stepsMs)),
      (GOAL.ofCeiling * ceiling * 1e9 * tokens) / flops,
    );
  return {
    shape: name,
    gflopsPerStep: flops / 1e9,
    entrants,
    speedup,
    ceilingGflopsPerSecond: ceilings,
    ...(own && speedup.webgpu && { goalTokensPerSecond: goal(own, speedup.webgpu, ceilings.webgpu!) }),
    matmuls: own ? reportMatmuls(shape, own, sound) : [],
    ...(own?.msByKernel && overMatmuls(Math.min(...own.stepsMs), own.msByKernel)),
  };
}

function reportMatmuls(shape: BenchShape, own: Measured, sound: readonly Measured[]): MatmulReport[] {
  const rivals = sound.filter(({ entrant }) => !entrant.ours && entrant.backend === "webgpu");
  return stepMatmuls(shape).flatMap(({ shape: matmul, times }, i) => {
    const msOf = ({ matmulsMs }: Measured): number => median(matmulsMs[PLAIN_COUNT + i]);
    const [best] = rivals.toSorted((a, b) => msOf(a) - msOf(b));
    if (!best) return [];
    return [{ ...matmul, timesPerStep: times, oursMs: msOf(own), rivalMs: msOf(best), rival: best.entrant.name }];
  });
}

function overMatmuls(stepMs: number, msByKernel: Readonly<Record<string, number>>) {
  const sum = (prefixes: readonly string[]): number =>
    Object.entries(msByKernel).reduce(
      (ms, [name, own]) => ms + (prefixes.some((p) => name.startsWith(p)) ? own : 0),
      0,
    );
  return {
    stepOverMatmuls: stepMs / sum(["matmul"]),
    stepOverMatmulsAndAttention: stepMs / sum(["matmul", "attention"]),
  };
}

const MIB = 2 ** 20;
const table = (rows: readonly (readonly string[])[]): string[] => {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)));
  return rows.map((row) =>
    row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join("   "),
  );
};

export function reportLines(report: RivalsReport): string[] {
  const { adapter, browser, cores, loadAverage, versions, repeats, colds, tuned } = report;
  const packages = Object.entries(versions).map(([pack, version]) => `${pack} ${version}`);
  return [
    `adapter   ${adapter}, Chromium ${browser}, ${cores} cores, load average ${loadAverage.map((load) => load.toFixed(1)).join(" before, ")} after`,
    `rivals    ${packages.join(", ")}`,
    `medians of ${repeats} interleaved steps${tuned ? " (ours tuned before)" : ""} and ${colds} cold starts; every loss within ${LOSS_TOLERANCE} nats of the CPU reference's`,
    ...report.shapes.flatMap(shapeLines),
  ];
}

function goalLines({ goalTokensPerSecond: goal, entrants }: ShapeReport): string[] {
  const ours = entrants.find((e) => e.ours && e.backend === "webgpu");
  if (goal === undefined || !ours) return [];
  const verdict = ours.tokensPerSecond >= goal ? "reached" : "missed";
  const what = `the lower of ${GOAL.timesRival} times the best WebGPU rival and ${GOAL.ofCeiling} of the ceiling`;
  return [`goal      ${goal.toFixed(0)} tokens/s, ${what}: ${verdict}`];
}

function shapeLines(report: ShapeReport): string[] {
  const { shape, gflopsPerStep, entrants, speedup, ceilingGflopsPerSecond, matmuls } = report;
  const head = [
    ...[`shape ${shape}`, "ms/step", "tokens/s", "GFLOP/s", "of ceiling", "first loss", "peak MiB", "created MiB"],
    ...["dispatches", "submits", "512³ GFLOP/s"],
  ];
  const rows = entrants.map((e) => {
    if (e.fault !== undefined) return [e.name, "refused", ...head.slice(2).map(() => "")];
    const gpu = (value: string): string => (e.backend === "webgpu" ? value : "–");
    return [
      e.name,
      e.stepMs.toFixed(e.stepMs < 100 ? 1 : 0),
      e.tokensPerSecond.toFixed(0),
      e.gflopsPerSecond.toFixed(2),
      `${(100 * e.ofCeiling).toFixed(0)} %`,
      `${(e.firstLossMs / 1000).toFixed(1)} s`,
      gpu((e.bytesPeak / MIB).toFixed(1)),
      gpu((e.bytesCreated / MIB).toFixed(1)),
      gpu(e.dispatchesPerStep.toFixed(0)),
      gpu(e.submitsPerStep.toFixed(0)),
      e.matmul512GflopsPerSecond > 0 ? e.matmul512GflopsPerSecond.toFixed(2) : "–",
    ];
  });
  const ratio = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(2));
  return [
    "",
    ...table([head, ...rows]),
    ...entrants.flatMap((e) => (e.fault === undefined ? [] : [`refused: ${e.name}: ${e.fault}`])),
    `${gflopsPerStep.toFixed(3)} GFLOP a step; ceiling (best 512³): WebGPU ${ratio(ceilingGflopsPerSecond.webgpu)}, wasm ${ratio(ceilingGflopsPerSecond.wasm)} GFLOP/s`,
    `speedup   WebGPU ${ratio(speedup.webgpu)}, wasm ${ratio(speedup.wasm)}`,
    ...goalLines(report),
    `at its best a step takes ${ratio(report.stepOverMatmuls)} times its matrix products, ${ratio(report.stepOverMatmulsAndAttention)} times them and attention, each timed alone`,
    ...(matmuls.length === 0
      ? []
      : table([
          ["products of a step", "times", "ours ms", "best rival ms", "rival / ours", "rival"],
          ...matmuls.map((m) => [
            `${m.form} ${m.M}x${m.N}x${m.K}`,
            String(m.timesPerStep),
            m.oursMs.toFixed(2),
            m.rivalMs.toFixed(2),
            (m.rivalMs / m.oursMs).toFixed(2),
            m.rival,
          ]),
        ])),
  ];
}
