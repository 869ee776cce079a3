// What an engine runs most, one line for each kernel and shape: what is worth a measurement.
//
//   a plan's dispatches -> workloads, the heaviest first
import type { Kernel, Tuning } from "../device/kernel.ts";
import type { Plan } from "../device/plan.ts";

export interface Workload {
  /** Kernel and extents, as far as they matter: `matmul-nt 512x192x64`. */
  readonly key: string;
  readonly kernel: Kernel;
  readonly tuning: Tuning;
  /** Of the measurement: where the plan's own is larger, it is cut to this one. */
  readonly shape: Readonly<Record<string, number>>;
  /** Of all its dispatches in one replay. */
  readonly flops: number;
}

/** A model has five products in three transpositions and attention's three kernels; cut by rows it has some more. */
const WORKLOADS_MAX = 32;

export function workloadsOf(entries: Plan["entries"]): Workload[] {
  const byKey = new Map<string, Workload>();
  for (const { kernel, shape, flops } of entries) {
    const { tuning } = kernel;
    if (!tuning) continue;
    const key = keyOf(kernel, shape);
    const before = byKey.get(key)?.flops ?? 0;
    byKey.set(key, { key, kernel, tuning, shape: tuning.trial(shape), flops: before + flops });
  }
  return [...byKey.values()].sort((a, b) => b.flops - a.flops).slice(0, WORKLOADS_MAX);
}

export function keyOf(kernel: Kernel, shape: Readonly<Record<string, number>>): string {
  const trial = kernel.tuning?.trial(shape) ?? shape;
  const extents = Object.entries(kernel.shape).flatMap(([field, type]) => (type === "u32" ? [trial[field]] : []));
  return `${kernel.label} ${extents.join("x")}`;
}
