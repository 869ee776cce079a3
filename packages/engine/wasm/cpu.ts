// What the CPU offers the engine here: threads, and the kind of SIMD that its WebAssembly has.
import type { AdapterDescription } from "../engine.ts";
import { simdKind } from "./simd.ts";
import { canShareMemory } from "./threads.ts";

/** More threads wait for each other more than they share. */
const THREADS_MAX = 16;
/** Up to two cores are all taken; of more, one stays with the page. */
const threadsFor = (cores: number): number => Math.max(1, Math.min(THREADS_MAX, cores > 2 ? cores - 1 : cores));

/** Node 20 has no navigator. */
const coresHere = (): number =>
  globalThis.navigator?.hardwareConcurrency ??
  globalThis.process?.getBuiltinModule?.("node:os").availableParallelism() ??
  1;

export interface Cpu {
  readonly threads: number;
  readonly relaxed: boolean;
  readonly adapter: AdapterDescription;
}

/** Undefined where WebAssembly has no SIMD. `wish` is for tests: fewer or more threads, no relaxed SIMD. */
export function findCpu(wish: { readonly threads?: number; readonly relaxed?: boolean } = {}): Cpu | undefined {
  const simd = simdKind();
  if (!simd) return undefined;
  const relaxed = wish.relaxed ?? simd === "relaxed";
  const threads = canShareMemory() ? (wish.threads ?? threadsFor(coresHere())) : 1;
  const description = `${threads} ${threads === 1 ? "thread" : "threads"}, ${relaxed ? "relaxed SIMD" : "SIMD"}`;
  const adapter = { backend: "wasm", vendor: "cpu", architecture: "wasm", description, isFallback: true } as const;
  return { threads, relaxed, adapter };
}
