import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeFrame,
  decodeIslandFrame,
  encodeFrame,
  encodeIslandFrame,
  FRAME_BYTES_MAX,
  ISLAND_MESSAGE_BYTES_MAX,
  type IslandFrame,
  isIslandFrame,
  PART_BYTES,
} from "./index.ts";

const island = "cd".repeat(32);

const golden: [IslandFrame, string][] = [
  [
    { type: "part", island, message: 7, bytes: 3, offset: 0, payload: Uint8Array.of(1, 2, 3) },
    `0b020000${island}070000000300000000000000010203`,
  ],
  [
    { type: "part", island, message: 0xffff_ffff, bytes: 0, offset: 0, payload: new Uint8Array(0) },
    `0b020000${island}ffffffff0000000000000000`,
  ],
  [{ type: "took", island, bytes: 0x1_0000 }, `0c020000${island}00000100`],
  [{ type: "over", island, reason: "gone" }, `0d020000${island}676f6e65`],
  [{ type: "probe", payload: Uint8Array.of(9) }, "0e02000009"],
  [{ type: "probed" }, "0f020000"],
];

describe.each(golden)("%o", (frame, hex) => {
  test("has these bytes, and comes back from them", () => {
    expect(bytesToHex(encodeIslandFrame(frame))).toBe(hex);
    expect(decodeIslandFrame(hexToBytes(hex))).toEqual(frame);
  });
  test("is an island's, and nothing to who knows none", () => {
    expect(isIslandFrame(hexToBytes(hex))).toBe(true);
    expect(decodeFrame(hexToBytes(hex))).toBeUndefined();
  });
});

test("other frames are no island's", () => {
  expect(isIslandFrame(encodeFrame({ type: "ping", stamp: 1 }))).toBe(false);
  expect(isIslandFrame(new Uint8Array(0))).toBe(false);
});

test("any bytes: a frame that encodes to the same bytes, or nothing; never an exception", () => {
  let decoded = 0;
  const nearly = fc
    .constantFrom(...golden.filter(([{ type }]) => type !== "over"))
    .chain(([, hex]) =>
      fc.tuple(fc.nat(hex.length / 2 - 1), fc.nat(255)).map(([place, value]) => hexToBytes(hex).with(place, value)),
    );
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), nearly), (bytes) => {
      const frame = decodeIslandFrame(bytes);
      if (frame === undefined || frame.type === "over") return; // a reason that is not printable is read all the same
      decoded++;
      expect(encodeIslandFrame(frame)).toEqual(bytes);
    }),
    { numRuns: 1000, seed: 1 },
  );
  expect(decoded).toBeGreaterThan(200);
});

test("limits: parts lie at their multiples and within a message that is not too large; a reason is cut", () => {
  const part = (bytes: number, offset: number, length: number) => {
    const frame = new Uint8Array(48 + length);
    frame.set(encodeIslandFrame({ type: "part", island, message: 1, bytes: 0, offset: 0, payload: new Uint8Array(0) }));
    new DataView(frame.buffer).setUint32(40, bytes, true);
    new DataView(frame.buffer).setUint32(44, offset, true);
    return decodeIslandFrame(frame);
  };
  expect(part(PART_BYTES + 5, PART_BYTES, 5)).toMatchObject({ offset: PART_BYTES });
  expect(part(PART_BYTES + 5, PART_BYTES, 6)).toBeUndefined();
  expect(part(PART_BYTES + 5, 1, PART_BYTES)).toBeUndefined();
  expect(part(PART_BYTES + 5, 0, PART_BYTES - 1)).toBeUndefined();
  expect(part(PART_BYTES, PART_BYTES, 0)).toBeUndefined();
  expect(part(ISLAND_MESSAGE_BYTES_MAX, 0, PART_BYTES)).toBeDefined();
  expect(part(ISLAND_MESSAGE_BYTES_MAX + 1, 0, PART_BYTES)).toBeUndefined();
  const whole = new Uint8Array(PART_BYTES);
  expect(
    encodeIslandFrame({ type: "part", island, message: 1, bytes: PART_BYTES, offset: 0, payload: whole }),
  ).toHaveLength(FRAME_BYTES_MAX);
  expect(() => encodeIslandFrame({ type: "part", island, message: 1, bytes: 9, offset: 0, payload: whole })).toThrow(
    /no part of a message/,
  );
  expect(() => encodeIslandFrame({ type: "took", island: "abcd", bytes: 1 })).toThrow(/32 bytes/);
  const over = encodeIslandFrame({ type: "over", island, reason: "ä\n".repeat(400) });
  expect(decodeIslandFrame(over)).toEqual({ type: "over", island, reason: "?".repeat(400) });
});
