// Each operation's backward pass against central differences of its forward pass, in f64.
import { describe, expect, test } from "vitest";
import { attentionBackward, attentionForward } from "./attention.ts";
import { crossEntropyBackward, crossEntropyForward } from "./cross-entropy.ts";
import { embeddingBackward, embeddingForward } from "./embedding.ts";
import { linearBackward, linearForward } from "./matmul.ts";
import { rmsnormBackward, rmsnormForward } from "./rmsnorm.ts";
import { ropeBackward, ropeForward } from "./rope.ts";
import { swigluBackward, swigluForward } from "./swiglu.ts";
import { dot, normals, numericGradient, prng, randomIds } from "./testing.ts";
import { relativeError } from "./vector.ts";

/** The analytic gradient equals the numeric one of `loss` with respect to `x`. */
function expectGradient(analytic: Float64Array, loss: () => number, x: Float64Array): void {
  expect(relativeError(analytic, numericGradient(loss, x))).toBeLessThanOrEqual(1e-6);
}

describe.each([
  { N: 1, C: 1, K: 0 },
  { N: 3, C: 5, K: 1 },
  { N: 2, C: 7, K: 2 },
  { N: 5, C: 3, K: 3 },
  { N: 2, C: 4, K: 8 },
])("rmsnorm N=$N C=$C K=$K", ({ N, C, K }) => {
  const random = prng(1);
  const shape = { N, C, eps: 1e-2 };
  const partials = Array.from({ length: K }, () => normals(random, N * C));
  const residual = normals(random, N * C);
  const weight = normals(random, C);
  const dNormed = normals(random, N * C);
  const dResidualAfter = normals(random, N * C);
  const loss = () => {
    const out = rmsnormForward({ partials, residual, weight }, shape);
    return dot(out.normed, dNormed) + dot(out.residual, dResidualAfter);
  };
  const forward = rmsnormForward({ partials, residual, weight }, shape);
  const backward = rmsnormBackward({ ...forward, dNormed, dResidualAfter, weight }, shape);

  test("dResidual, dWeight and the gradient of each partial", () => {
    expectGradient(backward.dResidual, loss, residual);
    expectGradient(backward.dWeight, loss, weight);
    for (const partial of partials) expectGradient(backward.dResidual, loss, partial);
  });
});

test("rmsnorm backward without a gradient behind it takes zero", () => {
  const random = prng(2);
  const shape = { N: 3, C: 4, eps: 1e-5 };
  const weight = normals(random, 4);
  const forward = rmsnormForward({ partials: [], residual: normals(random, 12), weight }, shape);
  const dNormed = normals(random, 12);
  const withZero = rmsnormBackward({ ...forward, dNormed, dResidualAfter: new Float64Array(12), weight }, shape);
  expect(rmsnormBackward({ ...forward, dNormed, weight }, shape)).toEqual(withZero);
});

describe("rope", () => {
  const shape = { B: 2, T: 5, heads: 3, D: 4, theta: 10_000 };
  const random = prng(3);
  const x = normals(random, 2 * 5 * 3 * 4);
  const dy = normals(random, x.length);

  test("backward", () => expectGradient(ropeBackward(dy, shape), () => dot(ropeForward(x, shape), dy), x));

  test("turns component i with component i + D/2, by t · theta^(-2i/D)", () => {
    const y = ropeForward(new Float64Array([0, 0, 0, 0, 1, 2, 3, 4]), { B: 1, T: 2, heads: 1, D: 4, theta: 10_000 });
    const [a, b] = [1, 0.01];
    const expected = [Math.cos(a) - 3 * Math.sin(a), 2 * Math.cos(b) - 4 * Math.sin(b)];
    expected.push(3 * Math.cos(a) + Math.sin(a), 4 * Math.cos(b) + 2 * Math.sin(b));
    expect(relativeError(y.slice(4), expected)).toBeLessThan(1e-15);
  });

  test("scores depend on the distance alone", () => {
    const given = { B: 1, T: 9, heads: 1, D: 8, theta: 500 };
    const [q, k] = [normals(random, 8), normals(random, 8)];
    const everywhere = (row: Float64Array) =>
      ropeForward(
        Float64Array.from({ length: 72 }, (_, i) => row[i % 8]),
        given,
      );
    const [qs, ks] = [everywhere(q), everywhere(k)];
    const score = (t: number, u: number) => dot(qs.subarray(t * 8, t * 8 + 8), ks.subarray(u * 8, u * 8 + 8));
    expect(score(8, 5)).toBeCloseTo(score(3, 0), 10);
  });
});

describe.each([
  { B: 1, T: 1, NH: 1, KVH: 1, D: 4 },
  { B: 2, T: 5, NH: 4, KVH: 2, D: 4 },
  { B: 1, T: 7, NH: 3, KVH: 1, D: 3 },
])("attention B=$B T=$T NH=$NH KVH=$KVH D=$D", (shape) => {
  const { B, T, NH, KVH, D } = shape;
  const random = prng(4);
  const q = normals(random, B * T * NH * D);
  const k = normals(random, B * T * KVH * D);
  const v = normals(random, B * T * KVH * D);
  const dOut = normals(random, q.length);
  const loss = () => dot(attentionForward({ q, k, v }, shape).out, dOut);
  const { dq, dk, dv } = attentionBackward({ q, k, v, ...attentionForward({ q, k, v }, shape), dOut }, shape);

  test("backward", () => {
    expectGradient(dv, loss, v);
    if (T === 1) return; // one position attends to itself with weight 1: dq and dk are zero
    expectGradient(dq, loss, q);
    expectGradient(dk, loss, k);
  });

  test("a position sees nothing behind it", () => {
    const before = attentionForward({ q, k, v }, shape).out;
    const changed = { q, k: k.slice(), v: v.slice() };
    changed.k.fill(9, -KVH * D);
    changed.v.fill(9, -KVH * D); // the last position of the last sequence
    const after = attentionForward(changed, shape).out;
    expect(after.subarray(0, -NH * D)).toEqual(before.subarray(0, -NH * D));
  });
});

test("grouped heads equal full heads whose keys and values are repeated", () => {
  const random = prng(5);
  const [q, k, v] = [normals(random, 2 * 3 * 4 * 2), normals(random, 2 * 3 * 2 * 2), normals(random, 2 * 3 * 2 * 2)];
  const repeat = (x: Float64Array) =>
    Float64Array.from({ length: 2 * 3 * 4 * 2 }, (_, i) => {
      const [row, head, d] = [Math.floor(i / 8), Math.floor(i / 2) % 4, i % 2];
      return x[row * 4 + Math.floor(head / 2) * 2 + d];
    });
  const grouped = attentionForward({ q, k, v }, { B: 2, T: 3, NH: 4, KVH: 2, D: 2 });
  const full = attentionForward({ q, k: repeat(k), v: repeat(v) }, { B: 2, T: 3, NH: 4, KVH: 4, D: 2 });
  expect(grouped).toEqual(full);
});

test("swiglu backward", () => {
  const random = prng(6);
  const [gate, up, dHidden] = [normals(random, 35), normals(random, 35), normals(random, 35)];
  const loss = () => dot(swigluForward({ gate, up }), dHidden);
  const { dGate, dUp } = swigluBackward({ gate, up, dHidden });
  expectGradient(dGate, loss, gate);
  expectGradient(dUp, loss, up);
});

test.each([
  { N: 1, I: 1, O: 1 },
  { N: 5, I: 3, O: 7 },
  { N: 4, I: 9, O: 4 },
  { N: 9, I: 8, O: 6 },
])("linear backward N=$N I=$I O=$O", (shape) => {
  const random = prng(7);
  const x = normals(random, shape.N * shape.I);
  const weight = normals(random, shape.O * shape.I);
  const dy = normals(random, shape.N * shape.O);
  const loss = () => dot(linearForward({ x, weight }, shape), dy);
  const { dx, dWeight } = linearBackward({ dy, x, weight }, shape);
  expectGradient(dx, loss, x);
  expectGradient(dWeight, loss, weight);
});

test("embedding backward sums the positions that share an id", () => {
  const random = prng(8);
  const shape = { N: 9, V: 5, C: 3 };
  const ids = randomIds(random, 9, 4); // id 4 never occurs
  const weight = normals(random, 15);
  const dx = normals(random, 27);
  const dWeight = embeddingBackward({ ids, dx }, shape);
  expectGradient(dWeight, () => dot(embeddingForward({ ids, weight }, shape), dx), weight);
  expect([...dWeight.subarray(12)]).toEqual([0, 0, 0]);
});

test.each([
  { N: 1, V: 2 },
  { N: 7, V: 11 },
])("cross-entropy N=$N V=$V", (shape) => {
  const random = prng(9);
  const logits = normals(random, shape.N * shape.V, 3);
  const targets = randomIds(random, shape.N, shape.V);
  const { lse } = crossEntropyForward({ logits, targets }, shape);
  const loss = () => crossEntropyForward({ logits, targets }, shape).loss;
  expectGradient(crossEntropyBackward({ logits, targets, lse }, shape), loss, logits);
});

test("cross-entropy of large logits stays finite", () => {
  const logits = new Float64Array([1000, -1000, 0]);
  expect(crossEntropyForward({ logits, targets: [1] }, { N: 1, V: 3 }).loss).toBe(2000);
});
