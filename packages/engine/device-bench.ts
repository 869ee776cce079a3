// What the device can do, and how near our kernels come to it: a large matrix product in each form, a plain copy, and the kernels that do
// little else than move memory. Made for GPUs; a software adapter's numbers are its processor's.
import { bestMs, MatmulBench } from "./bench.ts";
import { openDevice } from "./device/adapter.ts";
import { compileKernels, type Kernel, kernel } from "./device/kernel.ts";
import { Plan, type View } from "./device/plan.ts";
import type { AdapterDescription } from "./engine.ts";
import { matmulFlops } from "./kernels/matmul.ts";
import { adamw, REPORT_FLOATS, STEP_FLOATS, squares } from "./kernels/optimizer.ts";
import { gammaBlocks, rmsnormBackward, rmsnormForward } from "./kernels/rmsnorm.ts";
import { swigluBackward, swigluForward } from "./kernels/swiglu.ts";

export interface DeviceMeasurement {
  readonly adapter: AdapterDescription;
  readonly matmulSize: number;
  readonly flopsPerSecondByForm: Readonly<Record<string, number>>;
  /** The largest buffer of the copy and of the kernels that move memory. */
  readonly bufferBytes: number;
  /** Bytes read and written. */
  readonly copyBytesPerSecond: number;
  readonly bytesPerSecondByKernel: Readonly<Record<string, number>>;
}

export interface DeviceOptions {
  /** Rows and columns of the product; default: 4096, on a software adapter 512. */
  readonly matmulSize?: number | undefined;
  /** Default: 256 MiB, on a software adapter 16 MiB. */
  readonly bufferBytes?: number | undefined;
}

const MATMUL_SIZE = { hardware: 4096, software: 512 };
/** Well beyond a GPU's caches, and within what most allow to bind. */
const BUFFER_BYTES = { hardware: 256 * 2 ** 20, software: 16 * 2 ** 20 };
/** The best counts: others use the machine too, and a GPU takes a moment to clock up. */
const ROUNDS = 7;
/** Channels of a row: a wide model's. */
const WIDTH = 1024;

export async function measureDevice(options: DeviceOptions): Promise<DeviceMeasurement> {
  const { device, description, quads, tiled } = await openDevice();
  const kind = description.isFallback ? "software" : "hardware";
  const size = options.matmulSize ?? MATMUL_SIZE[kind];
  const limit = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
  const bufferBytes = Math.min(options.bufferBytes ?? BUFFER_BYTES[kind], limit - (limit % (4 * WIDTH * 4)));
  const variant = { quads, tiled, half: false, headSize: 4 };
  const moves = memoryMoves(bufferBytes / 4);
  const compiled = await compileKernels(
    device,
    moves.map((move) => move.kernel),
    variant,
  );
  const bytesPerSecond = new Map<string, number>();
  for (const { kernel: moved, shape, floats, bytes } of moves) {
    const views = floats.map(([name, length]) => [name, viewOf(device, length)] as const);
    const planOf = (times: number): Plan => {
      const plan = new Plan(device, compiled, Number.POSITIVE_INFINITY);
      for (let i = 0; i < times; i++) plan.add(moved, shape, Object.fromEntries(views));
      plan.finish();
      return plan;
    };
    const ms = await bestMs(async (times) => {
      const plan = planOf(times);
      const before = performance.now();
      plan.replay();
      await device.queue.onSubmittedWorkDone();
      const took = performance.now() - before;
      plan.destroy();
      return took;
    }, ROUNDS);
    for (const [, { buffer }] of views) buffer.destroy();
    bytesPerSecond.set(moved.label, bytes / (ms / 1000));
  }
  device.destroy();
  const { [copy.label]: copyBytesPerSecond, ...bytesPerSecondByKernel } = Object.fromEntries(bytesPerSecond);
  return {
    adapter: description,
    matmulSize: size,
    flopsPerSecondByForm: await matmulSpeeds(size),
    bufferBytes,
    copyBytesPerSecond,
    bytesPerSecondByKernel,
  };
}

async function matmulSpeeds(size: number): Promise<Record<string, number>> {
  const shape = { M: size, N: size, K: size };
  const bench = await MatmulBench.open();
  const flopsPerSecond: Record<string, number> = {};
  for (const form of ["nt", "nn", "tn"] as const) {
    const product = bench.matmul({ form, ...shape });
    const ms = await bestMs(async (times) => {
      const before = performance.now();
      await product.run(times);
      return performance.now() - before;
    }, ROUNDS);
    product.free();
    flopsPerSecond[`matmul-${form}`] = matmulFlops(shape) / (ms / 1000);
  }
  bench.destroy();
  return flopsPerSecond;
}

const viewOf = (device: GPUDevice, length: number): View => ({
  buffer: device.createBuffer({ size: Math.ceil(length / 64) * 256, usage: GPUBufferUsage.STORAGE }),
  offset: 0,
  length,
});

const COPY_GROUP = 256;

/** Each invocation carries one vec4 over. */
const copy = kernel({
  label: "copy",
  source: () => `struct Shape { n: u32, stride: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${COPY_GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.y * shape.stride + id.x;
  if (id.x < shape.stride && i < shape.n) { y[i] = x[i]; }
}`,
  shape: { n: "u32", stride: "u32" },
  bindings: { x: "read", y: "write" },
  workgroups: ({ n, stride }) => [Math.ceil(stride / COPY_GROUP), Math.ceil(n / stride), 1],
});

interface Move {
  readonly kernel: Kernel;
  readonly shape: Readonly<Record<string, number>>;
  readonly floats: readonly (readonly [binding: string, length: number])[];
  /** Read and written, each element as often as it must be. */
  readonly bytes: number;
}

/** Kernels over buffers of at most so many floats. */
function memoryMoves(floats: number): Move[] {
  const rows = floats / WIDTH;
  const move = <S extends string, B extends string>(
    moved: Kernel<S, B>,
    shape: Readonly<Record<NoInfer<S>, number>>,
    lengths: Readonly<Record<NoInfer<B>, number>>,
    floatsMoved: number,
  ): Move => {
    const bindings = Object.keys(moved.bindings) as B[];
    return {
      kernel: moved as Kernel,
      shape,
      floats: bindings.map((name) => [name, lengths[name]]),
      bytes: 4 * floatsMoved,
    };
  };
  const half = floats / 2;
  return [
    move(copy, { n: floats / 4, stride: COPY_GROUP * 128 }, { x: floats, y: floats }, 2 * floats),
    move(
      adamw,
      { n: floats / 4, decayed: floats / 4 },
      {
        step: STEP_FLOATS,
        report: REPORT_FLOATS,
        parameters: floats,
        gradient: floats,
        momentum: floats,
        variance: floats,
      },
      8 * floats, // four vectors, each read and written
    ),
    move(squares, { n: floats / 4 }, { x: floats, partials: 4096 }, floats),
    move(
      rmsnormForward,
      { rows, C: WIDTH, K: 1, eps: 1e-5 },
      { partials: floats, residual: floats, gamma: WIDTH, residualOut: floats, y: floats, rstd: rows },
      4 * floats,
    ),
    move(
      rmsnormBackward,
      { rows, C: WIDTH, accumulate: 1 },
      { dy: floats, x: floats, rstd: rows, gamma: WIDTH, dx: floats, partials: gammaBlocks(rows) * WIDTH },
      4 * floats, // and the partials, a thirty-second of that
    ),
    move(swigluForward, { rows: rows / 2, F: WIDTH }, { gateUp: floats, h: half }, floats + half),
    move(swigluBackward, { rows: rows / 2, F: WIDTH }, { dh: half, gateUp: floats }, 2 * floats + half),
  ];
}
