// Does this adapter compute rightly? Every kernel, compiled as the engine runs it, on small odd shapes against the CPU reference.
//
//   a device and its pipelines -> some fifty dispatches -> checks -> report
//
// Drivers have bugs, and one wrong GPU costs a swarm rounds: a peer asks before it donates. The tests of the kernels are the same checks on more
// shapes.
import type { CompiledKernels, Kernel, Variant } from "../device/kernel.ts";
import type { AdapterDescription } from "../engine.ts";
import { attentionBlockForward } from "../kernels/attention-block.ts";
import { selectTopK } from "../kernels/feedback.ts";
import { loraMerge } from "../kernels/lora.ts";
import { markAdvance } from "../kernels/mark.ts";
import { adamw8bit } from "../kernels/optimizer.ts";
import { allReduceNormForward } from "../kernels/rmsnorm.ts";
import { checkAllReduceNorm } from "./all-reduce.ts";
import { checkAttention } from "./attention.ts";
import { checkAttentionBlocks } from "./attention-block.ts";
import { type Check, fails } from "./check.ts";
import { checkCrossEntropy } from "./cross-entropy.ts";
import { checkEmbedding } from "./embedding.ts";
import { checkFeedback } from "./feedback.ts";
import { checkLora } from "./lora.ts";
import { checkMark } from "./mark.ts";
import { checkMatmul, MATMULS } from "./matmul.ts";
import { checkHalve, checkOptimizer, checkOptimizer8bit } from "./optimizer.ts";
import { checkRmsnorm } from "./rmsnorm.ts";
import { checkRope } from "./rope.ts";
import { KernelRunner } from "./runner.ts";
import { checkSharedParts } from "./shared-part.ts";
import { checkSwiglu } from "./swiglu.ts";

export interface ConformanceReport {
  readonly version: 1;
  readonly adapter: AdapterDescription;
  /** How many tensors were compared. */
  readonly checks: number;
  /** Those that differ from the reference by more than rounding; empty: this adapter computes rightly. */
  readonly failed: readonly Check[];
  readonly ms: number;
}

const MATMUL_SHAPE = { N: 131, I: 68, O: 132 };
const ATTENTION_SHAPE = { B: 2, T: 67, NH: 4, KVH: 2 };
const SHARED_SHAPE = { B: 2, T: 140, NH: 4, KVH: 2 };

/** On the engine's own device, with its own pipelines. Shapes are no multiple of a tile, a workgroup or a subgroup, and larger than one of each. */
export async function checkConformance(
  device: GPUDevice,
  compiled: CompiledKernels,
  variant: Variant,
  adapter: AdapterDescription,
): Promise<ConformanceReport> {
  const started = performance.now();
  const runner = new KernelRunner(device, variant, compiled);
  const D = variant.headSize;
  try {
    const checks = [
      ...(await checkMatmul(runner, MATMUL_SHAPE)),
      ...(await checkAttention(runner, { ...ATTENTION_SHAPE, D })),
      ...(await checkRope(runner, { D, B: 2, T: 19, heads: 3, kvHeads: 1, theta: 10_000 })),
      ...(await checkRmsnorm(runner, { N: 67, C: 132, K: 1 })),
      ...(await checkSwiglu(runner, { rows: 65, F: 68, deviation: 3 })),
      ...(await checkEmbedding(runner, { N: 130, V: 50, C: 68 })),
      ...(await checkCrossEntropy(runner, { N: 33, V: 257 })),
      ...(await checkOptimizer(runner, { floats: 20_000, deviation: 1 })),
      ...(variant.half ? await checkHalve(runner, { floats: 20_000 }) : []),
      ...(compiled.has(adamw8bit as Kernel) ? await checkOptimizer8bit(runner, { floats: 32 * 70 }) : []),
      ...(compiled.has(allReduceNormForward as Kernel)
        ? await checkAllReduceNorm(runner, { N: 67, C: 132, K: 0, shards: 3 })
        : []),
      ...(compiled.has(attentionBlockForward as Kernel)
        ? [...(await checkAttentionBlocks(runner, { ...SHARED_SHAPE, D }, 2)), ...(await checkSharedParts(runner, D))]
        : []),
      ...(compiled.has(loraMerge as Kernel) ? await checkLora(runner, { rows: 37, I: 68, columns: 8 }) : []),
      ...(compiled.has(markAdvance as Kernel) ? await checkMark(runner, { floats: 20_224 }) : []), // when updates are made here
      ...(compiled.has(selectTopK as Kernel) ? await checkFeedback(runner) : []),
    ];
    const ms = Math.round(performance.now() - started);
    return { version: 1, adapter, checks: checks.length, failed: checks.filter(fails), ms };
  } finally {
    runner.end();
  }
}

/** The same of one kernel that may be tuned, as the runner has it compiled. */
export async function checkTuned(runner: KernelRunner, kernel: Kernel, headSize: number): Promise<Check[]> {
  if (MATMULS.includes(kernel)) return checkMatmul(runner, MATMUL_SHAPE, [kernel]);
  const checks = await checkAttention(runner, { ...ATTENTION_SHAPE, D: headSize });
  return checks.filter((check) => check.kernel === kernel.label);
}
