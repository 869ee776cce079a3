import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CHUNK_BYTES,
  decodeFrame,
  encodeFrame,
  FRAME_BYTES_MAX,
  type Frame,
  PIECE_LIST,
  REQUEST_MAX,
} from "./index.ts";

const name = "ab".repeat(32);

const golden: [Frame, string][] = [
  [{ type: "want", name }, `01020000${name}`],
  [{ type: "unwant", name }, `02020000${name}`],
  [{ type: "have", name, first: 8, bitmap: Uint8Array.of(1, 0x80) }, `03020000${name}${"08000000"}0180`],
  [{ type: "have", name, first: 0, bitmap: new Uint8Array(0) }, `03020000${name}${"00000000"}`],
  [
    { type: "ask", request: 7, name, piece: 0x0102, again: false },
    `04020000${"07000000"}${name}${"02010000"}${"00000000"}`,
  ],
  [
    { type: "ask", request: REQUEST_MAX, name, piece: PIECE_LIST, again: true },
    `04020000${"ffffffff"}${name}${"ffffffff"}${"01000000"}`,
  ],
  [{ type: "cancel", request: 3 }, "0502000003000000"],
  [
    { type: "chunk", request: 0x8000_0001, offset: 9, payload: Uint8Array.of(1, 2, 3) },
    "06020000010000800900000001" + "0203",
  ],
  [{ type: "ack", request: 1, offset: 0x4000, bytes: 0x8000 }, "07020000010000000040000000800000"],
  [{ type: "refuse", request: 2, code: "busy" }, "080200000200000003000000"],
  [{ type: "ping", stamp: 1.5 }, "09020000000000000000f83f"],
  [{ type: "pong", stamp: -2 }, "0a0200000000000000000" + "0c0"],
];

describe.each(golden)("%o", (frame, hex) => {
  test("has these bytes", () => expect(bytesToHex(encodeFrame(frame))).toBe(hex));
  test("comes back from them", () => expect(decodeFrame(hexToBytes(hex))).toEqual(frame));
  test("cut short, or with another version or a set reserved byte, is nothing", () => {
    const bytes = hexToBytes(hex);
    if (frame.type !== "chunk" && frame.type !== "have")
      expect(decodeFrame(Uint8Array.of(...bytes, 0))).toBeUndefined();
    const least = bytes.length - (frame.type === "chunk" ? 3 : frame.type === "have" ? frame.bitmap.length : 0);
    for (let length = 0; length < least; length++) expect(decodeFrame(bytes.subarray(0, length))).toBeUndefined();
    for (const place of [0, 1, 2, 3]) expect(decodeFrame(bytes.with(place, 0x77))).toBeUndefined();
  });
});

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const anyName = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytesToHex);
const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ type: fc.constantFrom("want" as const, "unwant" as const), name: anyName }),
  fc.record({
    type: fc.constant("have" as const),
    name: anyName,
    first: fc.nat(2047).map((byte) => 8 * byte),
    bitmap: fc.uint8Array({ maxLength: 100 }),
  }),
  fc.record({
    type: fc.constant("ask" as const),
    request: u32,
    name: anyName,
    piece: fc.oneof(fc.integer({ min: 0, max: 0xffff_fffe }), fc.constant(PIECE_LIST)),
    again: fc.boolean(),
  }),
  fc.record({ type: fc.constant("cancel" as const), request: u32 }),
  fc.record({
    type: fc.constant("chunk" as const),
    request: u32,
    offset: u32,
    payload: fc.uint8Array({ maxLength: 100 }),
  }),
  fc.record({ type: fc.constant("ack" as const), request: u32, offset: u32, bytes: u32 }),
  fc.record({
    type: fc.constant("refuse" as const),
    request: u32,
    code: fc.constantFrom("not-here" as const, "no-such-piece" as const, "busy" as const),
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

test("limits: the largest chunk and bitmap fit, one byte more does not; what no blob has is nothing", () => {
  const chunk = (size: number): Frame => ({ type: "chunk", request: 1, offset: 0, payload: new Uint8Array(size) });
  expect(encodeFrame(chunk(CHUNK_BYTES))).toHaveLength(FRAME_BYTES_MAX);
  expect(() => encodeFrame(chunk(CHUNK_BYTES + 1))).toThrow(/split it/);
  expect(decodeFrame(Uint8Array.of(...encodeFrame(chunk(CHUNK_BYTES)), 0))).toBeUndefined();
  const have = (size: number, first = 0): Frame => ({ type: "have", name, first, bitmap: new Uint8Array(size) });
  const largest = encodeFrame(have(2048));
  expect(decodeFrame(largest)).toEqual(have(2048));
  expect(decodeFrame(Uint8Array.of(...largest, 0))).toBeUndefined();
  expect(() => encodeFrame(have(2049))).toThrow(/no blob has them/);
  expect(() => encodeFrame(have(1, 4))).toThrow(/no blob has them/);
  expect(decodeFrame(encodeFrame(have(1, 16_384)))).toBeUndefined();
  expect(() => encodeFrame({ type: "want", name: "abcd" })).toThrow(/32 bytes/);
});

test("a payload is a view of the frame's bytes, wherever they begin", () => {
  const bytes = new Uint8Array(40).fill(9);
  bytes.set(encodeFrame({ type: "chunk", request: 1, offset: 0, payload: Uint8Array.of(5, 6) }), 3);
  const frame = decodeFrame(bytes.subarray(3, 17));
  expect(frame).toMatchObject({ type: "chunk", payload: Uint8Array.of(5, 6) });
  expect((frame as Extract<Frame, { type: "chunk" }>).payload.buffer).toBe(bytes.buffer);
});
