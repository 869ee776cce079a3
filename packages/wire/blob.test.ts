import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  blobName,
  decodePieceList,
  encodePieceList,
  PIECE_BYTES,
  pieceCount,
  pieceIsGood,
  pieceListBytes,
} from "./index.ts";

const blobOf = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + (i >> 16)) & 0xff);
const piecesOf = (blob: Uint8Array) =>
  Array.from({ length: pieceCount(blob.length) }, (_, i) => blob.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES));

test("the name of an empty blob is golden, and it has one piece of 0 bytes", () => {
  const empty = new Uint8Array();
  const list = createHash("sha256").update("").digest("hex");
  const expected = createHash("sha256")
    .update(Buffer.from(`47424c4201000000${"00".repeat(8)}${list}`, "hex"))
    .digest("hex");
  expect(blobName(empty)).toBe(expected);
  const decoded = decodePieceList(encodePieceList(empty), blobName(empty))!;
  expect(decoded.bytes).toBe(0);
  expect(pieceIsGood(decoded, 0, empty)).toBe(true);
});

test.each([1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 3 * PIECE_BYTES - 5])(
  "a blob of %d bytes",
  (length) => {
    const blob = blobOf(length);
    const list = encodePieceList(blob);
    expect(list).toHaveLength(pieceListBytes(length));
    const decoded = decodePieceList(list, blobName(blob))!;
    expect(decoded.bytes).toBe(length);
    expect(decoded.hashes).toHaveLength(Math.ceil(length / PIECE_BYTES));
    expect(piecesOf(blob).every((piece, i) => pieceIsGood(decoded, i, piece))).toBe(true);
  },
);

test("a tampered, cut, swapped or unknown piece is not good", () => {
  const blob = blobOf(2 * PIECE_BYTES + 10);
  const list = decodePieceList(encodePieceList(blob), blobName(blob))!;
  const [first, second, last] = piecesOf(blob);
  expect(pieceIsGood(list, 0, first.with(77, first[77] ^ 1))).toBe(false);
  expect(pieceIsGood(list, 0, first.subarray(1))).toBe(false);
  expect(pieceIsGood(list, 0, second)).toBe(false);
  expect(pieceIsGood(list, 2, last)).toBe(true);
  for (const index of [-1, 3, 0.5, Number.NaN]) expect(pieceIsGood(list, index, first)).toBe(false);
});

test("a piece list is refused when it is not the one of that name, whatever the bytes", () => {
  const blob = blobOf(PIECE_BYTES + 1);
  const list = encodePieceList(blob);
  const name = blobName(blob);
  fc.assert(
    fc.property(fc.nat(list.length - 1), fc.integer({ min: 1, max: 255 }), (place, flip) => {
      expect(decodePieceList(list.with(place, list[place] ^ flip), name)).toBeUndefined();
    }),
  );
  expect(decodePieceList(list.subarray(0, -1), name)).toBeUndefined();
});

test("a list with its own right name is still refused for magic, version, or a size that is not its own", () => {
  const named = (change: (view: DataView) => void) => {
    const list = encodePieceList(blobOf(10));
    change(new DataView(list.buffer));
    return decodePieceList(list, createHash("sha256").update(list).digest("hex"));
  };
  expect(named(() => {})).toBeDefined();
  expect(named((v) => v.setUint8(0, 0))).toBeUndefined();
  expect(named((v) => v.setUint16(4, 2, true))).toBeUndefined();
  expect(named((v) => v.setUint32(8, PIECE_BYTES + 1, true))).toBeUndefined();
  expect(named((v) => v.setUint32(12, 2, true))).toBeUndefined(); // 8 GiB
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (junk) => {
      expect(decodePieceList(junk, createHash("sha256").update(junk).digest("hex"))).toBeUndefined();
    }),
  );
});
