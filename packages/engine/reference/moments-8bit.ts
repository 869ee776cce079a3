// Moments in 8 bits, as kernels/adamw-8bit.wgsl keeps them: blocks of 32 with one scale, codes on a logarithmic scale, rounded at random.
//
//   m -> sign and 7 bits, 8 steps an octave      v -> its root in 8 bits, 16 steps an octave, never rounded to 0
//   code c of `top` stands for scale · 2^((c − top) / steps), 0 for 0; scale = the block's largest magnitude
import type { Vector } from "./vector.ts";

const BLOCK = 32;
const SMALLEST = 1e-30;

interface Scale {
  readonly top: number;
  readonly steps: number; // an octave
}
const M: Scale = { top: 127, steps: 8 };
const ROOT: Scale = { top: 255, steps: 16 };

/** In place: what is left of both moments after a step (the `updates`-th, from 1) is kept in 8 bits. */
export function roundMoments(m: Vector, v: Vector, updates: number): void {
  const seed = Math.imul(updates, 0x9e3779b9);
  for (let from = 0; from < m.length; from += BLOCK) {
    const to = Math.min(from + BLOCK, m.length);
    let [mostM, mostRoot] = [0, 0];
    for (let i = from; i < to; i++) {
      mostM = Math.max(mostM, Math.abs(m[i]));
      mostRoot = Math.max(mostRoot, Math.sqrt(v[i]));
    }
    for (let i = from; i < to; i++) {
      const word = 2 * Math.floor(i / 4);
      m[i] = Math.sign(m[i]) * rounded(Math.abs(m[i]), mostM, randomOf(seed + word, i % 4), M);
      const root = Math.sqrt(v[i]);
      const kept = rounded(root, mostRoot, randomOf(seed + word + 1, i % 4), ROOT);
      v[i] = Math.max(kept, root > 0 ? levelOf(1, mostRoot, ROOT) : 0) ** 2;
    }
  }
}

const levelOf = (code: number, scale: number, { top, steps }: Scale): number =>
  code === 0 || scale < SMALLEST ? 0 : scale * 2 ** ((code - top) / steps);

function rounded(x: number, scale: number, random: number, on: Scale): number {
  if (scale < SMALLEST) return 0;
  const { top, steps } = on;
  const low = Math.floor(Math.min(top, Math.max(0, top + steps * Math.log2(Math.max(x / scale, SMALLEST)))));
  const [below, above] = [levelOf(low, scale, on), levelOf(Math.min(low + 1, top), scale, on)];
  return random * (above - below) < x - below ? above : below;
}

/** One of the four bytes of a PCG word, as a number between 0 and 1. */
function randomOf(seed: number, byte: number): number {
  const state = (Math.imul(seed, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return (((((word >>> 22) ^ word) >>> (8 * byte)) & 255) + 0.5) / 256;
}

/** What the words of both moments stand for, as the kernel packs them: eight words of four codes, and the scale's bits. */
export function unpackMoments(
  momentum: Uint32Array<ArrayBuffer>,
  variance: Uint32Array<ArrayBuffer>,
): { m: Float64Array; v: Float64Array } {
  const words = BLOCK / 4 + 1;
  const length = (momentum.length / words) * BLOCK;
  const codeAt = (packed: Uint32Array, i: number): number =>
    (packed[Math.floor(i / BLOCK) * words + Math.floor((i % BLOCK) / 4)] >>> (8 * (i % 4))) & 255;
  const scaleAt = (packed: Uint32Array<ArrayBuffer>, i: number): number =>
    new Float32Array(packed.buffer, packed.byteOffset)[Math.floor(i / BLOCK) * words + words - 1];
  const m = Float64Array.from({ length }, (_, i) => {
    const code = codeAt(momentum, i);
    return (code > 127 ? -1 : 1) * levelOf(code & 127, scaleAt(momentum, i), M);
  });
  const v = Float64Array.from({ length }, (_, i) => levelOf(codeAt(variance, i), scaleAt(variance, i), ROOT) ** 2);
  return { m, v };
}
