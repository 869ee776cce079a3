import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { anchorHashBy, anchorHashOf, genesisState, leafHashes } from "./index.ts";
import { noise, tinySpec } from "./test-given.ts";

const sha = (...parts: Uint8Array[]) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

test("the genesis hash of the tiny spec is golden", () => {
  expect(anchorHashOf(genesisState(tinySpec()))).toBe(
    "ba812e8cd503aaf82fe6c4e12a13dcc748214be7ac0f64bc361311c3ced03745",
  );
});

test("the hash is the documented one: two sections of 1 MiB leaves under a header", () => {
  const floats = 300_000; // two leaves, the second short
  const state = { parameters: noise(1, floats), velocity: noise(2, floats) };
  const section = (name: string, values: Float32Array) => {
    const bytes = Buffer.from(values.buffer);
    const head = Buffer.alloc(2 + name.length + 8);
    head.writeUInt16LE(name.length, 0);
    head.write(name, 2, "ascii");
    head.writeBigUInt64LE(BigInt(floats), 2 + name.length);
    return [head, sha(bytes.subarray(0, 1 << 20)), sha(bytes.subarray(1 << 20))];
  };
  const root = [
    Buffer.from("GANC\x01\x00\x01\x00\x02\x00\x00\x00", "latin1"),
    ...section("parameters", state.parameters),
    ...section("velocity", state.velocity),
  ];
  expect(anchorHashOf(state)).toBe(sha(...root).toString("hex"));
  expect(leafHashes(state).parameters).toHaveLength(2);
});

test("the platform's SHA-256 gives the same hash, and hears of a value that is not finite", async () => {
  const digest = async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const state = { parameters: noise(1, 600_000), velocity: noise(2, 600_000) };
  expect(await anchorHashBy(digest, state)).toBe(anchorHashOf(state));
  state.velocity[7] = Number.NaN;
  await expect(anchorHashBy(digest, state)).rejects.toThrow(/velocity\[7\]/);
});

test("one changed bit changes the hash and one leaf, in either section", () => {
  const state = { parameters: noise(1, 600_000), velocity: noise(2, 600_000) };
  const before = { hash: anchorHashOf(state), leaves: leafHashes(state) };
  state.velocity[300_000] += 1e-7;
  const after = leafHashes(state);
  expect(anchorHashOf(state)).not.toBe(before.hash);
  expect(after.parameters).toEqual(before.leaves.parameters);
  expect(after.velocity.map((leaf, i) => leaf === before.leaves.velocity[i])).toEqual([true, false, true]);
});

test("-0 hashes as +0; NaN and infinities refuse", () => {
  const zeros = () => ({ parameters: new Float32Array(5), velocity: new Float32Array(5) });
  const minus = zeros();
  minus.parameters[3] = -0;
  expect(anchorHashOf(minus)).toBe(anchorHashOf(zeros()));
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const state = zeros();
    state.velocity[2] = bad;
    expect(() => anchorHashOf(state)).toThrow(/velocity\[2\]/);
  }
});
