// A comparison: every method trains the same model on the same tokens over the same line and through the same churn, seed by seed.
//
//   method -> sweep of learning rates (its first seed) -> best rate -> all seeds -> rows: loss, bytes, time, gap to the baseline in pairs
import type { Method } from "#outer";
import { type Estimate, estimate } from "./statistics.ts";
import type { Setting, Trained } from "./swarm.ts";

export interface ComparePlan extends Setting {
  readonly methods: readonly Method[];
  readonly seeds: readonly number[];
  /** Factors on the draft's inner learning rate: the same for every method. */
  readonly rates: readonly number[];
}

/** One training: what it is, and what came of it. Kept by the caller, so that a comparison that was cut off goes on. */
export interface Lesson {
  readonly method: string;
  readonly seed: number;
  readonly rate: number;
}

export interface Row {
  readonly method: string;
  readonly title: string;
  readonly rate: number;
  /** By seed, in the plan's order. */
  readonly runs: readonly Trained[];
  readonly loss: Estimate;
  /** (loss − baseline's loss) / baseline's loss, in pairs; undefined for the baseline, and without one. */
  readonly gap: Estimate | undefined;
  readonly bytes: number; //       of a peer, mean over seeds
  /** Bytes that a ring all-reduce of f32 gradients at every step moves for a peer, over ours. */
  readonly fewerBytes: number;
  readonly seconds: number;
  readonly utilization: number;
  readonly burstBytes: number;
  readonly diverged: number; //    runs
}

export const BASELINE = "ddp";

export const finalLoss = ({ points, diverged }: Trained): number =>
  diverged ? Number.POSITIVE_INFINITY : points[points.length - 1].loss;

/** @param train one lesson; may answer from what is stored. @param ringBytes what the DDP baseline moves for a peer */
export async function compare(
  { methods, seeds, rates }: ComparePlan,
  train: (lesson: Lesson, method: Method) => Promise<Trained>,
  ringBytes: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const method of methods) {
    const tried: { readonly rate: number; readonly trained: Trained }[] = [];
    for (const rate of rates) {
      tried.push({ rate, trained: await train({ method: method.name, seed: seeds[0], rate }, method) });
    }
    const best = tried.reduce((a, b) => (finalLoss(b.trained) < finalLoss(a.trained) ? b : a));
    const runs = [best.trained];
    for (const seed of seeds.slice(1)) runs.push(await train({ method: method.name, seed, rate: best.rate }, method));
    const base = rows.find((row) => row.method === BASELINE);
    rows.push(rowOf(method, best.rate, runs, base, ringBytes));
  }
  return rows;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function rowOf(
  { name, title }: Method,
  rate: number,
  runs: readonly Trained[],
  base: Row | undefined,
  ringBytes: number,
): Row {
  const ends = runs.map(({ points }) => points.at(-1) ?? { bytes: 0, seconds: 0 });
  const losses = runs.map(finalLoss);
  const bytes = mean(ends.map((end) => end.bytes));
  const gap = base && estimate(losses.map((loss, i) => loss / finalLoss(base.runs[i]) - 1));
  return {
    method: name,
    title,
    rate,
    runs,
    loss: estimate(losses),
    gap,
    bytes,
    fewerBytes: ringBytes / bytes,
    seconds: mean(ends.map((end) => end.seconds)),
    utilization: mean(runs.map(({ utilization }) => utilization)),
    burstBytes: Math.max(...runs.map(({ burstBytes }) => burstBytes)),
    diverged: runs.filter(({ diverged }) => diverged).length,
  };
}
