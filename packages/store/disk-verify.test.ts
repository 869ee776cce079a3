import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex, concatBytes } from "@noble/hashes/utils.js";
import { expect, test } from "vitest";
import { canonicalBytes, identityFrom, sign, verify } from "#wire";
import { verifyNatively } from "./disk-verify.ts";

const purpose = "gossamer entry v1";
const ada = identityFrom(new Uint8Array(32).fill(1));
const bob = identityFrom(new Uint8Array(32).fill(2));
const value = { round: 3, loss: 1.5 };
const good = sign(ada, purpose, value);

/** A signature whose R carries a point of order 8: wire's rule (cofactored) takes it, OpenSSL's does not. */
function twisted(): string {
  const { Point } = ed25519;
  const order = Point.Fn.ORDER;
  const torsion = Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
  expect(torsion.isSmallOrder()).toBe(true);
  const message = canonicalBytes([purpose, value]);
  const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(ada.secretKey);
  const r = 123_456_789n;
  const R = Point.BASE.multiply(r).add(torsion).toBytes();
  const k = Point.Fn.create(BigInt(`0x${bytesToHex(sha512(concatBytes(R, pointBytes, message)).reverse())}`) % order);
  const S = (r + k * scalar) % order;
  const sBytes = Uint8Array.from({ length: 32 }, (_, i) => Number((S >> BigInt(8 * i)) & 255n));
  return bytesToHex(concatBytes(R, sBytes));
}

const smallOrder = `01${"00".repeat(31)}`;

test.each<[string, boolean, Parameters<typeof verify>]>([
  ["a good signature", true, [ada.volunteer, purpose, value, good]],
  ["another value", false, [ada.volunteer, purpose, { ...value, round: 4 }, good]],
  ["another purpose", false, [ada.volunteer, "gossamer offer v1", value, good]],
  ["another's key", false, [bob.volunteer, purpose, value, good]],
  ["a flipped bit", false, [ada.volunteer, purpose, value, good.replace(/^./, (c) => (c === "0" ? "1" : "0"))]],
  ["half a signature", false, [ada.volunteer, purpose, value, good.slice(0, 64)]],
  ["no hex", false, [ada.volunteer, purpose, value, "z".repeat(128)]],
  ["upper case", true, [ada.volunteer, purpose, value, good.toUpperCase()]],
  ["no key", false, ["zz", purpose, value, good]],
  ["a key that is no point", false, ["02".repeat(32), purpose, value, good]],
  [
    "a key of small order, under which this fits anything",
    false,
    [smallOrder, purpose, value, smallOrder + "00".repeat(32)],
  ],
  ["a signature right up to a point of small order", true, [ada.volunteer, purpose, value, twisted()]],
])("both say the same of %s", (_, expected, given) => {
  expect(verify(...given)).toBe(expected);
  expect(verifyNatively(...given)).toBe(expected);
  expect(verifyNatively(...given)).toBe(expected); // from the remembered key
});
