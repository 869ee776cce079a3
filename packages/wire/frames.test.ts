import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHUNK_BYTES, decodeFrame, encodeFrame, FRAME_BYTES_MAX, type Frame, REQUEST_MAX } from "./index.ts";

const name = "ab".repeat(32);

const golden: [Frame, string][] = [
  [
    { type: "want", request: 7, pieceList: false, name, offset: 0x0102, bytes: 0x030405 },
    `01010000${"07000000"}${name}${"02010000"}${"05040300"}`,
  ],
  [
    { type: "want", request: 7, pieceList: true, name, offset: 0, bytes: 16 },
    `01010000${"07000080"}${name}${"00000000"}${"10000000"}`,
  ],
  [
    { type: "chunk", request: REQUEST_MAX, pieceList: false, offset: 9, payload: Uint8Array.of(1, 2, 3) },
    "02010000ffffff7f09000000010203",
  ],
  [{ type: "ack", request: 1, pieceList: true, received: 0xffff_ffff }, "0301000001000080ffffffff"],
  [{ type: "refuse", request: 2, pieceList: false, code: 3 }, "040100000200000003000000"],
  [{ type: "ping", stamp: 1.5 }, "05010000000000000000f83f"],
  [{ type: "pong", stamp: -2 }, "0601000000000000000000c0"],
];

describe.each(golden)("%o", (frame, hex) => {
  test("has these bytes", () => expect(bytesToHex(encodeFrame(frame))).toBe(hex));
  test("comes back from them", () => expect(decodeFrame(hexToBytes(hex))).toEqual(frame));
  test("cut short, or with another version or a set reserved byte, is nothing", () => {
    const bytes = hexToBytes(hex);
    if (frame.type !== "chunk") expect(decodeFrame(Uint8Array.of(...bytes, 0))).toBeUndefined();
    for (let length = 0; length < Math.min(bytes.length, 12); length++)
      expect(decodeFrame(bytes.subarray(0, length))).toBeUndefined();
    for (const place of [0, 1, 2, 3]) expect(decodeFrame(bytes.with(place, 0x77))).toBeUndefined();
  });
});

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const tagged = { request: fc.integer({ min: 0, max: REQUEST_MAX }), pieceList: fc.boolean() };
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant("want" as const),
    ...tagged,
    name: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytesToHex),
    offset: u32,
    bytes: u32,
  }),
  fc.record({
    type: fc.constant("chunk" as const),
    ...tagged,
    offset: u32,
    payload: fc.uint8Array({ maxLength: 100 }),
  }),
  fc.record({ type: fc.constant("ack" as const), ...tagged, received: u32 }),
  fc.record({
    type: fc.constant("refuse" as const),
    ...tagged,
    code: fc.constantFrom(1 as const, 2 as const, 3 as const),
  }),
  fc.record({
    type: fc.constantFrom("ping" as const, "pong" as const),
    stamp: fc.double({ noNaN: true, noDefaultInfinity: true }),
  }),
);

test("every frame comes back as it went", () => {
  fc.assert(
    fc.property(anyFrame, (frame) => {
      expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    }),
  );
});

test("any bytes: a frame that encodes to the same bytes, or nothing; never an exception", () => {
  let decoded = 0;
  const nearly = anyFrame.chain((frame) => {
    const bytes = encodeFrame(frame);
    return fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)).map(([place, value]) => bytes.with(place, value));
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), nearly), (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame === undefined) return;
      decoded++;
      expect(encodeFrame(frame)).toEqual(bytes);
    }),
    { numRuns: 1000, seed: 1 },
  );
  expect(decoded).toBeGreaterThan(200);
});

test("limits: the largest chunk fits, one byte more does not", () => {
  const chunk = (size: number) =>
    ({ type: "chunk", request: 1, pieceList: false, offset: 0, payload: new Uint8Array(size) }) as const;
  expect(encodeFrame(chunk(CHUNK_BYTES))).toHaveLength(FRAME_BYTES_MAX);
  expect(() => encodeFrame(chunk(CHUNK_BYTES + 1))).toThrow(/split it/);
  expect(decodeFrame(Uint8Array.of(...encodeFrame(chunk(CHUNK_BYTES)), 0))).toBeUndefined();
  expect(() => encodeFrame({ type: "ack", request: 2 ** 31, pieceList: false, received: 0 })).toThrow(/31 bits/);
  expect(() => encodeFrame({ type: "want", request: 1, pieceList: false, name: "abcd", offset: 0, bytes: 0 })).toThrow(
    /32 bytes/,
  );
});

test("a payload is a view of the frame's bytes, wherever they begin", () => {
  const bytes = new Uint8Array(40).fill(9);
  bytes.set(encodeFrame({ type: "chunk", request: 1, pieceList: false, offset: 0, payload: Uint8Array.of(5, 6) }), 3);
  const frame = decodeFrame(bytes.subarray(3, 17));
  expect(frame).toMatchObject({ type: "chunk", payload: Uint8Array.of(5, 6) });
  expect((frame as Extract<Frame, { type: "chunk" }>).payload.buffer).toBe(bytes.buffer);
});
