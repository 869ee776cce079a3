// What tests and the conformance check share: seeded numbers, tiny models, central differences.
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import type { ColdStore } from "../cold-moments.ts";
import type { Vector } from "./vector.ts";

/** Uniform in [0, 1), 32 bits of state (mulberry32). */
export function prng(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Normal numbers (Box-Muller), mean 0. */
export function normals(random: () => number, length: number, deviation = 1): Float64Array {
  return Float64Array.from(
    { length },
    () => deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

export function randomIds(random: () => number, length: number, vocabSize: number): Uint16Array {
  return Uint16Array.from({ length }, () => Math.floor(random() * vocabSize));
}

/** A model small enough for central differences over every parameter; override what the test is about. */
export function tinyModel(change: Partial<ModelShape> = {}): ModelShape {
  const base = { vocabSize: 11, dModel: 16, layers: 2, heads: 4, kvHeads: 2, dFfn: 12, contextLength: 5 };
  return { ...base, ropeTheta: 10_000, normEps: 1e-5, tiedEmbedding: true, ...change };
}

/** Matrices normal with the given deviation, norm weights near 1: a start from which every gradient is alive. */
export function randomParameters(random: () => number, model: ModelShape, deviation = 0.02): Float64Array {
  const table = parameterTable(model);
  const flat = new Float64Array(table.length);
  for (const { shape, offset, length } of table.tensors) {
    const values = normals(random, length, shape.length === 1 ? 0.1 : deviation);
    flat.set(shape.length === 1 ? values.map((x) => 1 + x) : values, offset);
  }
  return flat;
}

/**
 * The gradient of f at x by central differences, x restored. `h` balances truncation (h⁴ with the five-point rule) against cancellation
 * (eps/h): 1e-3 leaves about 1e-12 of each for values near 1.
 */
export function numericGradient(f: () => number, x: Vector, h = 1e-3): Float64Array {
  const gradient = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const at = x[i];
    const probe = (offset: number): number => {
      x[i] = at + offset;
      return f();
    };
    gradient[i] = (8 * (probe(h) - probe(-h)) - (probe(2 * h) - probe(-2 * h))) / (12 * h);
    x[i] = at;
  }
  return gradient;
}

/** Σ a·b: turns an operation's output into a scalar whose gradient is b. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** For moments that lie outside of the device. What was never written is no number: it must not be read. */
export async function storeInMemory(bytes: number): Promise<ColdStore> {
  const all = new Uint8Array(bytes).fill(0xff);
  return {
    read: (at, into) => into.set(all.subarray(at, at + into.length)),
    write: (at, given) => all.set(given, at),
    close: () => {},
  };
}
