// What one kernel for an all-reduce's end, the residual and the norm saves, beside a kernel for each: decode every shard, add it, add the residual, normalize.
//
//   rounds of [ fused | apart ] in turn, forward and backward -> medians; bytes by what the dispatches' bindings hold

import { median } from "./bench.ts";
import { openDevice } from "./device/adapter.ts";
import { type CompiledKernels, compileKernels, type Kernel, kernel } from "./device/kernel.ts";
import { Plan, type View } from "./device/plan.ts";
import { expand } from "./device/template.ts";
import decode from "./kernels/decode-shard.wgsl?raw";
import { flatGroups } from "./kernels/optimizer.ts";
import {
  allReduceNormBackward,
  allReduceNormForward,
  gammaBlocks,
  rmsnormBackward,
  rmsnormForward,
} from "./kernels/rmsnorm.ts";
import { SHARD_VECTORS, shardWords } from "./kernels/shard.ts";

const GROUP = 64;
const constants = { GROUP, SHARD_VECTORS };
const groups = (vectors: number) => [flatGroups(vectors), 1, 1] as const;

/** out = what a shard decodes to. */
const decodeAlone = kernel({
  label: "decode-shard-alone",
  source: () =>
    expand(
      `struct Shape { rows: u32, C: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> shards: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
${decode}
@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.rows * (shape.C / 4u); i += groups.x * GROUP) { out[i] = decoded(0u, i); }
}`,
      { constants },
    ),
  shape: { rows: "u32", C: "u32" },
  bindings: { shards: "read", out: "write" },
  workgroups: ({ rows, C }) => groups((rows * C) / 4),
});

/** sum += x */
const addAlone = kernel({
  label: "add-alone",
  source: () =>
    expand(
      `struct Shape { vectors: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> sum: array<vec4f>;
@compute @workgroup_size(GROUP)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < shape.vectors; i += groups.x * GROUP) { sum[i] += x[i]; }
}`,
      { constants },
    ),
  shape: { vectors: "u32" },
  bindings: { x: "read", sum: "write" },
  workgroups: ({ vectors }) => groups(vectors),
});

export interface AllReduceShape {
  readonly rows: number;
  readonly C: number;
  /** Of other peers; our own part comes on top. */
  readonly shards: number;
}

export interface AllReduceCost {
  readonly ms: number; //         median of the rounds
  readonly bytes: number; //      read and written, each number once a dispatch that needs it
  readonly dispatches: number;
}

export interface AllReduceMeasurement extends AllReduceShape {
  readonly adapter: string;
  readonly forward: { readonly fused: AllReduceCost; readonly apart: AllReduceCost };
  readonly backward: { readonly fused: AllReduceCost; readonly apart: AllReduceCost };
}

/** Dispatches of one submission: the round trip must not drown a short kernel. */
const REPEATS = 8;
const EPS = 1e-5;

/** It is read and written. */
const isAddedTo = (kernel: unknown, name: string): boolean =>
  (kernel === addAlone && name === "sum") || (kernel === allReduceNormBackward && name === "dy");

/** A plan that counts what its dispatches bind. */
class CountedPlan {
  readonly #plan: Plan;
  readonly #repeats: number;
  bytes = 0;
  dispatches = 0;

  constructor(device: GPUDevice, compiled: CompiledKernels, repeats: number) {
    this.#plan = new Plan(device, compiled, Number.POSITIVE_INFINITY);
    this.#repeats = repeats;
  }

  record(add: (record: Plan["add"]) => void): this {
    for (let r = 0; r < this.#repeats; r++)
      add((kernel, shape, views) => {
        this.#plan.add(kernel, shape, views);
        this.dispatches += 1 / this.#repeats;
        for (const [name, { length }] of Object.entries<View>(views))
          this.bytes += (4 * length * (isAddedTo(kernel, name) ? 2 : 1)) / this.#repeats;
      });
    this.#plan.finish();
    return this;
  }

  replay(): void {
    this.#plan.replay();
  }

  destroy(): void {
    this.#plan.destroy();
  }
}

export async function measureAllReduce({
  rounds,
  ...shape
}: AllReduceShape & { readonly rounds: number }): Promise<AllReduceMeasurement> {
  const { rows, C, shards } = shape;
  const { device, quads, tiled, description } = await openDevice({});
  const fused = [allReduceNormForward, allReduceNormBackward];
  const alone = [rmsnormForward, rmsnormBackward, decodeAlone, addAlone];
  const kernels = [...fused, ...alone] as readonly unknown[] as readonly Kernel[];
  const compiled = await compileKernels(device, kernels, { quads, tiled, half: false, headSize: 4 });
  const floats = rows * C;
  const words = shardWords(floats / 4);
  const buffers: GPUBuffer[] = [];
  const made = (length: number, fill?: number): View => {
    const buffer = device.createBuffer({ size: 4 * length, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
    if (fill !== undefined) device.queue.writeBuffer(buffer, 0, new Float32Array(length).fill(fill));
    buffers.push(buffer);
    return { buffer, offset: 0, length };
  };
  const aligned = Math.ceil(words / 64) * 64; // each shard alone begins where a binding may begin
  const [own, residual, residualOut, y, rstd, gamma, decoded, sum, dx, sums] = [
    ...[made(floats, 0.5), made(floats, 0.25), made(floats), made(floats), made(rows)],
    ...[made(C, 1), made(floats), made(floats), made(floats), made(gammaBlocks(rows) * C)],
  ];
  const received = made(shards * words, 1e-3);
  const each = Array.from({ length: shards }, () => made(aligned, 1e-3)).map((view) => ({ ...view, length: words }));
  const vectors = floats / 4;
  const sumShards = (add: Plan["add"], into: View): void => {
    for (const shard of each) {
      add(decodeAlone, { rows, C }, { shards: shard, out: decoded });
      add(addAlone, { vectors }, { x: decoded, sum: into });
    }
  };
  const norm = { gamma, residualOut, y, rstd };
  const dNorm = { x: residualOut, rstd, gamma, dx, partials: sums };
  const plans = {
    forward: {
      fused: (add: Plan["add"]) =>
        add(
          allReduceNormForward,
          { rows, C, K: 1, eps: EPS, shards },
          { partials: own, residual, shards: received, ...norm },
        ),
      apart(add: Plan["add"]) {
        sumShards(add, own);
        add(addAlone, { vectors }, { x: own, sum: residual });
        add(rmsnormForward, { rows, C, K: 0, eps: EPS }, { partials: gamma, residual, ...norm });
      },
    },
    backward: {
      fused: (add: Plan["add"]) =>
        add(allReduceNormBackward, { rows, C, accumulate: 0, K: 1, shards }, { dy: own, shards: received, ...dNorm }),
      apart(add: Plan["add"]) {
        sumShards(add, sum);
        add(rmsnormBackward, { rows, C, accumulate: 0 }, { dy: sum, ...dNorm });
      },
    },
  };
  const measured = { forward: {}, backward: {} } as Record<
    "forward" | "backward",
    Record<"fused" | "apart", AllReduceCost>
  >;
  for (const pass of ["forward", "backward"] as const) {
    const ways = (["fused", "apart"] as const).map((way) => ({
      way,
      plan: new CountedPlan(device, compiled, REPEATS).record(plans[pass][way]),
      times: [] as number[],
    }));
    for (let round = -1; round < rounds; round++)
      for (const { plan, times } of ways) {
        const before = performance.now();
        plan.replay();
        await device.queue.onSubmittedWorkDone();
        if (round >= 0) times.push((performance.now() - before) / REPEATS); // the first one warms up
      }
    for (const { way, plan, times } of ways) {
      measured[pass][way] = { ms: median(times), bytes: plan.bytes, dispatches: Math.round(plan.dispatches) };
      plan.destroy();
    }
  }
  for (const buffer of buffers) buffer.destroy();
  device.destroy();
  return {
    ...shape,
    adapter: description.description || `${description.vendor} ${description.architecture}`,
    ...measured,
  };
}
