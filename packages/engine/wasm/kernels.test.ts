// Each kernel against the reference, at sizes that no tile divides, with addresses beyond 2 GiB.
import { beforeAll, describe, expect, test } from "vitest";
import { ropeTables } from "../kernels/rope.ts";
import {
  adamwStep,
  attentionBackward,
  attentionForward,
  crossEntropyBackward,
  crossEntropyForward,
  linearBackward,
  linearForward,
  relativeError,
  rmsnormBackward,
  rmsnormForward,
  ropeBackward,
  ropeForward,
  swigluBackward,
  swigluForward,
  type Vector,
} from "../reference/index.ts";
import { normals, prng, randomIds } from "../reference/testing.ts";
import { i32, Module, v128 } from "./assembler.ts";
import { attentionScratchBytes } from "./attention.ts";
import { kernelModule } from "./kernels.ts";
import { matmul, type Op, overColumns, overFlat, overRows } from "./program.ts";
import { simdKind } from "./simd.ts";
import { packStep, REPORT } from "./step.ts";
import { exp } from "./vector.ts";

/** The system gives pages when they are touched: all addresses cost nothing. */
const PAGES = 65_535;
const BASE = 2 ** 31 - 4096; // every larger buffer lies across the sign bit of an address, or beyond

type Kernels = Record<string, (...args: number[]) => void>;
let memory: WebAssembly.Memory;
let kernels: Kernels;
let end = BASE;

const run = ({ kernel, tasks, args }: Op): void => {
  for (let task = 0; task < tasks; task++) kernels[kernel](task, ...args);
};

/** A new buffer with these numbers. */
function put(values: ArrayLike<number>): number {
  const at = end;
  new Float32Array(memory.buffer, at, values.length).set(values);
  end = Math.ceil((at + 4 * values.length) / 64) * 64;
  return at;
}
function putInts(values: ArrayLike<number>): number {
  const at = put(new Float32Array(values.length));
  new Uint32Array(memory.buffer, at, values.length).set(values);
  return at;
}
const room = (length: number): number => put(new Float32Array(length).fill(Number.NaN));
const get = (at: number, length: number): Float32Array => new Float32Array(memory.buffer, at, length).slice();

beforeAll(async () => {
  memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const bytes = kernelModule({ pages: PAGES, shared: false, relaxed: false });
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory, log: Math.log } });
  kernels = instance.exports as never;
  (instance.exports.scratch as WebAssembly.Global).value = 1024;
});

const random = prng(1);
const f32 = (length: number, deviation = 1): Float32Array => Float32Array.from(normals(random, length, deviation));

const expectClose = (actual: ArrayLike<number>, truth: Vector, tolerance = 1e-5): void =>
  expect(relativeError(actual, truth)).toBeLessThan(tolerance);

describe.each([
  { N: 1, I: 4, O: 1 },
  { N: 5, I: 8, O: 7 },
  { N: 6, I: 4, O: 8 },
  { N: 13, I: 12, O: 19 },
  { N: 97, I: 1028, O: 70 }, // blocks of rows and columns, depths of 512
  { N: 1030, I: 68, O: 133 },
])("matmul N=$N I=$I O=$O", ({ N, I, O }) => {
  test("the three forms", () => {
    const shape = { N, I, O };
    const [x, weight, dy, before] = [f32(N * I), f32(O * I), f32(N * O), f32(O * I)];
    const [xAt, wAt, dyAt] = [
      { at: put(x), columns: I },
      { at: put(weight), columns: I },
      { at: put(dy), columns: O },
    ];
    const y = { at: room(N * O), columns: O };
    run(matmul("nt", { a: xAt, b: wAt, c: y }, [N, O, I]));
    expectClose(get(y.at, N * O), linearForward({ x, weight }, shape));

    // dx = dy W needs rows of W, and dW = dyᵀ x adds to what is there
    const dx = { at: room(N * I), columns: I };
    const dw = { at: put(before), columns: I };
    run(matmul("nn", { a: dyAt, b: wAt, c: dx }, [N, I, O]));
    run(matmul("tn", { a: dyAt, b: xAt, c: dw }, [O, I, N]));
    const truth = linearBackward({ dy, x, weight }, shape);
    expectClose(get(dx.at, N * I), truth.dx);
    expectClose(
      get(dw.at, O * I),
      truth.dWeight.map((d, i) => d + before[i]),
    );
  });
});

describe.each([
  { B: 1, T: 1, NH: 1, KVH: 1, D: 4 },
  { B: 2, T: 7, NH: 4, KVH: 2, D: 12 },
  { B: 1, T: 24, NH: 2, KVH: 1, D: 8 },
  { B: 1, T: 25, NH: 2, KVH: 2, D: 32 },
  { B: 2, T: 131, NH: 3, KVH: 1, D: 20 },
])("attention B=$B T=$T NH=$NH KVH=$KVH D=$D", (shape) => {
  const { B, T, NH, KVH, D } = shape;
  const stride = (NH + 2 * KVH) * D;
  /** Rows of q, k and v side by side. */
  const interleaved = (q: Vector, k: Vector, v: Vector): Float32Array => {
    const rows = new Float32Array(B * T * stride);
    for (let n = 0; n < B * T; n++) {
      rows.set(q.subarray(n * NH * D, (n + 1) * NH * D), n * stride);
      rows.set(k.subarray(n * KVH * D, (n + 1) * KVH * D), n * stride + NH * D);
      rows.set(v.subarray(n * KVH * D, (n + 1) * KVH * D), n * stride + (NH + KVH) * D);
    }
    return rows;
  };

  test("forward and backward, with RoPE", () => {
    const [q, k, v, dOut] = [f32(B * T * NH * D), f32(B * T * KVH * D), f32(B * T * KVH * D), f32(B * T * NH * D)];
    const theta = 10_000;
    const [qRope, kRope] = [NH, KVH].map((heads) => ({ B, T, heads, D, theta }));
    const turned = { q: ropeForward(q, qRope), k: ropeForward(k, kRope), v };
    const truth = attentionForward(turned, shape);
    const back = attentionBackward({ ...turned, ...truth, dOut }, shape);

    const tables = ropeTables(T, D, theta);
    const [cosines, sines] = [put(tables.cosines), put(tables.sines)];
    const [qkv, out, lse] = [put(interleaved(q, k, v)), room(B * T * NH * D), room(B * NH * T)];
    const [dout, dqkv] = [put(dOut), room(B * T * stride)];
    const last = [cosines, sines, T, NH, KVH, D, 1 / Math.sqrt(D)];
    expect(1024 + attentionScratchBytes(T, D)).toBeLessThan(BASE);
    const tasks = B * KVH;
    run({ kernel: "attention-forward", tasks, args: [qkv, out, lse, ...last] });
    expectClose(get(qkv, B * T * stride), interleaved(turned.q, turned.k, v));
    expectClose(get(out, B * T * NH * D), truth.out);
    expectClose(get(lse, B * NH * T), truth.lse);
    run({ kernel: "attention-backward", tasks, args: [qkv, out, dout, lse, dqkv, ...last] });
    const gradient = interleaved(ropeBackward(back.dq, qRope), ropeBackward(back.dk, kRope), back.dv);
    if (T > 1) return expectClose(get(dqkv, B * T * stride), gradient);
    for (const [i, g] of get(dqkv, stride).entries()) expect(Math.abs(g - gradient[i])).toBeLessThan(1e-5); // dq = dk = 0
  });
});

test.each([
  { N: 1, C: 4, K: 0 },
  { N: 11, C: 20, K: 1 },
  { N: 700, C: 68, K: 1 },
])("rmsnorm N=$N C=$C K=$K", ({ N, C, K }) => {
  const shape = { N, C, eps: 1e-5 };
  const [partial, residual, weight, dNormed, behind, before] = [
    ...[f32(N * C), f32(N * C), f32(C), f32(N * C), f32(N * C), f32(C)],
  ];
  const truth = rmsnormForward({ partials: K === 1 ? [partial] : [], residual, weight }, shape);
  const [x, y, rstd] = [room(N * C), room(N * C), room(N)];
  const [partialAt, gamma] = [K === 1 ? put(partial) : 0, put(weight)];
  run(overRows("rmsnorm-forward", N, C, [partialAt, put(residual), gamma, x, y, rstd, N, C, shape.eps]));
  expectClose(get(x, N * C), truth.residual);
  expectClose(get(y, N * C), truth.normed);
  expectClose(get(rstd, N), truth.rstd);

  const dResidualAfter = K === 1 ? behind : undefined;
  const back = rmsnormBackward({ ...truth, dNormed, weight, ...(dResidualAfter && { dResidualAfter }) }, shape);
  const [dy, dx, dgamma] = [put(dNormed), K === 1 ? put(behind) : room(N * C), put(before)];
  run(overRows("rmsnorm-backward", N, C, [dy, x, rstd, gamma, dx, N, C, K]));
  run(overColumns("rmsnorm-gamma", N, C, [dy, x, rstd, dgamma, N, C]));
  expectClose(get(dx, N * C), back.dResidual);
  expectClose(
    get(dgamma, C),
    back.dWeight.map((d, i) => d + before[i]),
  );
});

test.each([
  { N: 1, F: 4 },
  { N: 300, F: 172 },
])("swiglu N=$N F=$F", ({ N, F }) => {
  const [gate, up, dHidden] = [f32(N * F, 4), f32(N * F), f32(N * F)];
  const sideBySide = (a: Vector, b: Vector): Float32Array => {
    const rows = new Float32Array(2 * N * F);
    for (let n = 0; n < N; n++) {
      rows.set(a.subarray(n * F, (n + 1) * F), 2 * n * F);
      rows.set(b.subarray(n * F, (n + 1) * F), (2 * n + 1) * F);
    }
    return rows;
  };
  const [gateUp, h, dh, dgateUp] = [put(sideBySide(gate, up)), room(N * F), put(dHidden), room(2 * N * F)];
  run(overRows("swiglu-forward", N, F, [gateUp, h, N, F]));
  expectClose(get(h, N * F), swigluForward({ gate, up }));
  run(overRows("swiglu-backward", N, F, [gateUp, dh, dgateUp, N, F]));
  const { dGate, dUp } = swigluBackward({ gate, up, dHidden });
  expectClose(get(dgateUp, 2 * N * F), sideBySide(dGate, dUp));
});

test.each([
  { N: 1, V: 3 },
  { N: 70, V: 1001 },
])("cross-entropy N=$N V=$V, padded", ({ N, V }) => {
  const padded = Math.ceil(V / 4) * 4;
  const logits = f32(N * V, 3);
  const targets = randomIds(random, N, V);
  const truth = crossEntropyForward({ logits, targets }, { N, V });
  const gradient = crossEntropyBackward({ logits, targets, ...truth }, { N, V });
  const widened = (rows: Vector, padding: number): Float32Array => {
    const wide = new Float32Array(N * padded).fill(padding);
    for (let n = 0; n < N; n++) wide.set(rows.subarray(n * V, (n + 1) * V), n * padded);
    return wide;
  };
  const none = { learningRate: 0, beta1: 0, beta2: 0, eps: 1, weightDecay: 0, clipNorm: 1 };
  const step = put(new Float32Array(packStep(none, 1, N, N)));
  const [at, losses, report] = [put(widened(logits, Number.NaN)), room(N), put(new Float32Array(8))];
  run(overRows("cross-entropy", N, V, [at, putInts(targets), losses, step, N, V, 4 * padded, 1]));
  run({ kernel: "loss-sum", tasks: 1, args: [losses, step, report] });
  expect(new DataView(memory.buffer).getFloat64(report + REPORT.lossSum, true) / N).toBeCloseTo(truth.loss, 5);
  expectClose(get(at, N * padded), widened(gradient, 0));
});

test("AdamW with clipping, decay on matrices alone, and a gradient that is zero again", () => {
  const [n, decayed] = [40_000, 30_016];
  const [parameters, gradient, m] = [f32(n), f32(n), f32(n, 0.1)];
  const v = f32(n, 0.1).map((x) => x * x);
  m[7] = 1e-38; // on its way to a denormal
  gradient[7] = 0;
  const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 2 };
  const vectors = [parameters, gradient, m, v].map(put);
  const [squares, step, report] = [room(10), put(new Float32Array(packStep(options, 3, 1, 1))), room(8)];
  const sums = overFlat("squares", n, [vectors[1], squares, n]);
  run(sums);
  run({ kernel: "grad-norm", tasks: 1, args: [squares, sums.tasks, step, report] });
  run(overFlat("adamw", n, [step, report, ...vectors, n, decayed]));

  const tensors = [
    { name: "matrix", shape: [decayed / 4, 4], offset: 0, length: decayed },
    { name: "norm", shape: [n - decayed], offset: decayed, length: n - decayed },
  ];
  const norm = adamwStep({ parameters, gradient, m, v, step: 3 }, { tensors, length: n } as never, options);
  expect(new DataView(memory.buffer).getFloat64(report + REPORT.gradNorm, true) / norm).toBeCloseTo(1, 5);
  expectClose(get(vectors[0], n), parameters);
  expectClose(get(vectors[2], n), m);
  expectClose(get(vectors[3], n), v);
  expect(get(vectors[2], 8)[7]).toBe(0);
  expect(get(vectors[1], n).every((g) => g === 0)).toBe(true);
});

test("e^x is within two units in the last place from -87 to 88, 0 below, finite above", async () => {
  const module = new Module();
  module.define("exp", ["i32", "i32"], (f, at, bytes) => {
    const offset = f.int();
    f.for(offset, 0, bytes, 16, () => f.store(i32.add(at, offset), exp(f, v128.load(i32.add(at, offset)))));
  });
  const pages = 64;
  const own = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { instance } = await WebAssembly.instantiate(module.bytes({ pages, shared: false }), {
    env: { memory: own, log: Math.log },
  });
  const n = 400_000;
  const x = Float32Array.from({ length: n }, (_, i) => -90 + (180 * i) / n);
  const y = new Float32Array(own.buffer, 0, n);
  y.set(x);
  (instance.exports as unknown as Kernels).exp(0, 4 * n);
  let worst = 0;
  for (let i = 0; i < n; i++) {
    if (x[i] <= -87) expect(y[i]).toBe(0);
    else if (x[i] <= 88) worst = Math.max(worst, Math.abs(y[i] / Math.exp(x[i]) - 1));
    else expect(Number.isFinite(y[i])).toBe(true);
  }
  expect(worst).toBeLessThan(2 * 2 ** -23);
});

test("relaxed kernels and those for shared memory are valid where the machine knows them", async () => {
  expect(WebAssembly.validate(kernelModule({ pages: 2, shared: true, relaxed: false }))).toBe(true);
  expect(WebAssembly.validate(kernelModule({ pages: 2, shared: false, relaxed: true }))).toBe(simdKind() === "relaxed");
});
