import { expect, test } from "vitest";
import type { Decoded } from "./codec/index.ts";
import { raw } from "./codec/raw.ts";
import { topK } from "./codec/top-k.ts";
import { Feedback } from "./feedback.ts";
import { wholeOf } from "./fragment.ts";

const whole = wholeOf(3);
const decoded = (...values: number[]) => raw(3, "f32").read(raw(3, "f32").encode(Float32Array.from(values))) as Decoded;

/** One offer that counts: what is encoded of Δ, when that is sent. */
function offer(feedback: Feedback, delta: readonly number[], sent: readonly number[]): number[] {
  const encoded = Float32Array.from(delta);
  feedback.addTo(encoded, whole);
  feedback.counted(Float32Array.from(delta), decoded(...sent), whole);
  return [...encoded];
}

test("EF14: what was left out is added, shrunk by β", () => {
  const feedback = new Feedback(3, { feedback: 0.5 });
  expect(offer(feedback, [4, 2, 0], [4, 0, 0])).toEqual([4, 2, 0]);
  expect(offer(feedback, [4, 2, 0], [3, 0, 0])).toEqual([4, 3, 0]);
  expect(offer(feedback, [0, 0, 8], [0, 0, 0])).toEqual([0.5, 1.5, 8]);
});

test("DGC: a value that waits is driven by momentum; one that was sent starts anew, and what rounding left of it stays", () => {
  const feedback = new Feedback(3, { feedback: 1, momentum: 0.5 });
  expect(offer(feedback, [4, 2, 0], [3, 0, 0])).toEqual([4, 2, 0]); //    u = 0, 2, 0;   e = 1, 2, 0
  expect(offer(feedback, [4, 2, 0], [0, 5, 0])).toEqual([5, 5, 0]); //    w = 4, 3, 0;   u = 4, 0, 0;   e = 5, 0, 0
  expect(offer(feedback, [0, 2, 8], [0, 0, 8])).toEqual([7, 2, 8]); //    w = 2, 2, 8;   u = 2, 2, 0;   e = 7, 2, 0
  expect(offer(feedback, [0, 0, 0], [0, 0, 0])).toEqual([8, 3, 0]);
});

test("what is asked twice is the same: an offer that does not count changes nothing", () => {
  const feedback = new Feedback(3, { feedback: 1, momentum: 0.9 });
  offer(feedback, [1, 2, 3], [0, 0, 3]);
  const ask = () => {
    const encoded = Float32Array.of(1, 1, 1);
    feedback.addTo(encoded, whole);
    return encoded;
  };
  expect(ask()).toEqual(ask());
});

test("of a fragment, what the others left out stays as it is", () => {
  const feedback = new Feedback(3, { feedback: 1, momentum: 0.5 });
  offer(feedback, [4, 2, 1], [0, 0, 0]);
  const middle = { table: { tensors: [], length: 1 }, ranges: [{ start: 1, end: 2 }] };
  const one = raw(1, "f32");
  feedback.counted(Float32Array.of(2), one.read(one.encode(Float32Array.of(5))) as Decoded, middle);
  const encoded = Float32Array.of(0, 0, 0);
  feedback.addTo(encoded, whole);
  expect([...encoded]).toEqual([6, 0, 1.5]);
});

/** The loss after 400 steps of sparse descent on a quadratic, as a part of the first one, at the best of four rates. */
function lossOfSparseDescent(momentum: number | undefined): number {
  const N = 200;
  const stiffness = Float32Array.from({ length: N }, (_, i) => 1 / (1 + (i % 10)));
  const codec = topK(
    { tensors: [{ name: "w", shape: [10, 20], offset: 0, length: N }], length: N },
    { every: 20, feedback: 1 },
  );
  const lossAt = (rate: number): number => {
    const feedback = new Feedback(N, { feedback: 1, momentum });
    const x = new Float32Array(N).fill(1);
    for (let step = 0; step < 400; step++) {
      const gradient = x.map((value, i) => stiffness[i] * value);
      const encoded = gradient.slice();
      feedback.addTo(encoded, wholeOf(N));
      const sent = codec.read(codec.encode(encoded)) as Decoded;
      feedback.counted(gradient, sent, wholeOf(N));
      sent.addTo(x, -rate, 0, N);
    }
    return x.reduce((sum, value, i) => sum + stiffness[i] * value * value, 0);
  };
  return Math.min(...[0.003, 0.01, 0.03, 0.1].map(lossAt)) / stiffness.reduce((sum, value) => sum + value, 0);
}

test("one value in twenty: momentum before the choice is far ahead of none", () => {
  expect(lossOfSparseDescent(0.9)).toBeLessThan(0.1 * lossOfSparseDescent(undefined));
});
