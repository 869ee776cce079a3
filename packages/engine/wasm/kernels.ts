// Every kernel in one module, for a memory of this size.
import { defineMerge } from "./adapters.ts";
import { f32x4, type MemoryLimits, Module } from "./assembler.ts";
import { defineAttention } from "./attention.ts";
import { defineLoss } from "./loss.ts";
import { defineMatmul } from "./matmul.ts";
import { defineOptimizer } from "./optimizer.ts";
import { defineEmbedding, defineSwiglu } from "./pointwise.ts";
import { defineRmsnorm } from "./rmsnorm.ts";

export interface ModuleOptions extends MemoryLimits {
  /** Multiply and add in one instruction (relaxed SIMD): what a step rounds to is each peer's own affair. */
  readonly relaxed: boolean;
}

export function kernelModule({ relaxed, ...limits }: ModuleOptions): Uint8Array<ArrayBuffer> {
  const module = new Module();
  const scratch = module.global("scratch"); // where this thread's own memory starts
  const products = defineMatmul(
    module,
    relaxed ? f32x4.relaxedMadd : (a, b, c) => f32x4.add(f32x4.mul(a, b), c),
    scratch,
  );
  defineAttention(module, products, scratch);
  defineRmsnorm(module);
  defineSwiglu(module);
  defineEmbedding(module);
  defineLoss(module);
  defineOptimizer(module);
  defineMerge(module);
  return module.bytes(limits);
}
