import { hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { identityFrom, peerIdOf, peerIdSchema, SLOTS_MAX, sign, slotOf, verify, volunteerOf } from "./index.ts";
import { identity } from "./test-given.ts";

const offer = "gossamer offer v1";

test("the key of an all-ones seed is golden", () => {
  expect(identity(1).volunteer).toBe("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
});

test("a peer id holds key and slot", () => {
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    const id = peerIdOf(identity(3).volunteer, slot);
    expect(peerIdSchema.parse(id)).toBe(id);
    expect([volunteerOf(id), slotOf(id)]).toEqual([identity(3).volunteer, slot]);
  }
  expect(peerIdSchema.safeParse(peerIdOf(identity(3).volunteer, SLOTS_MAX)).success).toBe(false);
  expect(peerIdSchema.safeParse(peerIdOf(identity(3).volunteer.toUpperCase(), 0)).success).toBe(false);
});

test("sorting ids as strings sorts them as bytes", () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const id = fc.tuple(key, fc.nat(15)).map(([bytes, slot]) => peerIdOf(Buffer.from(bytes).toString("hex"), slot));
  fc.assert(
    fc.property(fc.array(id, { maxLength: 20 }), (ids) => {
      const asBytes = [...ids].sort((a, b) => Buffer.compare(hexToBytes(a), hexToBytes(b)));
      expect([...ids].sort()).toEqual(asBytes);
    }),
  );
});

test("a signature holds for one key, one purpose, one value", () => {
  const signature = sign(identity(1), offer, { a: 1, b: [2, 3] });
  const { volunteer } = identity(1);
  expect(verify(volunteer, offer, { b: [2, 3], a: 1 }, signature)).toBe(true); // canonical: key order means nothing
  expect(verify(volunteer, offer, { a: 1, b: [3, 2] }, signature)).toBe(false);
  expect(verify(volunteer, "gossamer hello v1", { a: 1, b: [2, 3] }, signature)).toBe(false);
  expect(verify(identity(2).volunteer, offer, { a: 1, b: [2, 3] }, signature)).toBe(false);
});

test("malformed keys and signatures are false, never an exception", () => {
  const signature = sign(identity(1), offer, 1);
  const { volunteer } = identity(1);
  for (const bad of ["", "0", "zz", signature.slice(2), `${signature}00`, "f".repeat(128), "é".repeat(128)])
    expect(verify(volunteer, offer, 1, bad)).toBe(false);
  for (const bad of ["", "00", "x".repeat(64), "f".repeat(64), "0".repeat(64)])
    expect(verify(bad, offer, 1, signature)).toBe(false);
  expect(verify(volunteer, offer, undefined, signature)).toBe(false);
  fc.assert(fc.property(fc.string(), fc.string(), (key, s) => verify(key, offer, 1, s) === false));
});

test("a key of small order, under which one signature fits any message, verifies nothing", () => {
  const identityPoint = `01${"00".repeat(31)}`;
  expect(verify(identityPoint, offer, "anything", `${identityPoint}${"00".repeat(32)}`)).toBe(false);
});

test("an identity is its seed", () => {
  const seed = new Uint8Array(32).fill(4);
  expect(identityFrom(seed).volunteer).toBe(identity(4).volunteer);
});
