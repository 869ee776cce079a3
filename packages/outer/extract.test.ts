import { expect, test } from "vitest";
import { codecOf, type Decoded, extractOf } from "./index.ts";
import { noise, tinySpec } from "./test-given.ts";

const plain = tinySpec();
const { blockSize: _, ...outer } = plain.outer;
const gradients = { ...plain, outer: { ...plain.outer, extract: "gradient" as const } };
const codec = { name: "chunk-top-k" as const, chunk: 1024 as const, k: 16, feedback: 0.5 };
const sparse = { ...plain, outer: { ...outer, extract: "gradient" as const, codec } };
const { length } = codecOf(plain).at(0);
const anchor = new Float32Array(length).fill(100);

test("a gradient is sent as it is, from the anchor, and one that no commit names is lost", () => {
  const extract = extractOf(gradients, anchor);
  const [lost, next] = [noise(1, length), noise(2, length)];
  expect(extract.toEncode(lost, 0)).toEqual(lost);
  extract.offered(lost, 0);
  expect(() => extract.offered(next, 0)).toThrow(/one offer/);
  expect(extract.sealed(anchor, false, undefined, 0)).toBeUndefined();
  expect(extract.toEncode(next, 0)).toEqual(next);
  extract.offered(lost, 0);
  extract.withdrawn();
  expect(extract.toEncode(next, 0)).toEqual(next);
});

test("with error feedback, what a named update left out comes later; what was not named leaves no debt", () => {
  const extract = extractOf(sparse, anchor);
  const bound = codecOf(sparse).at(0);
  const [first, second] = [noise(1, length), noise(2, length)];
  const body = bound.encode(extract.toEncode(first, 0));
  const sent = bound.read(body) as Decoded;
  extract.offered(first, 0);
  extract.sealed(anchor, true, sent, 0);
  const owed = first.slice();
  sent.addTo(owed, -1, 0, length);
  const expected = second.map((g, i) => g + 0.5 * owed[i]);
  expect(extract.toEncode(second, 0)).toEqual(expected);
  extract.offered(second, 0);
  extract.sealed(anchor, false, undefined, 0);
  expect(extract.toEncode(second, 0)).toEqual(expected);
});
