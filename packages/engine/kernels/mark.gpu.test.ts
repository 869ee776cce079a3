// Encoding on the device against the codec on the CPU: what decodes is the canonical part, so a code may differ by one where rounding is a tie.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Int8Blocks, int8Block } from "#outer";
import { exactly } from "../conformance/check.ts";
import { f32, KernelRunner, unwritten } from "../conformance/runner.ts";
import { normals, prng } from "../reference/testing.ts";
import {
  encodeInt8,
  encodeInt8Owed,
  markAdvance,
  markCarry,
  markRebase,
  UPDATE_BLOCK,
  UPDATE_BLOCK_WORDS,
} from "./mark.ts";
import { describeOn, F32_DEVICES } from "./testing.ts";

describeOn(F32_DEVICES, "the mark", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  async function encoded(mark: Float32Array<ArrayBuffer>, own: Float32Array<ArrayBuffer>) {
    const blocks = Math.ceil(mark.length / UPDATE_BLOCK);
    const whole = (values: Float32Array<ArrayBuffer>) => {
      const padded = new Float32Array(blocks * UPDATE_BLOCK);
      padded.set(values);
      return padded;
    };
    const given = { mark: whole(mark), own: whole(own), diverged: new Uint32Array(1) };
    const [shape, room] = [{ blocks, firstBlock: 10 }, unwritten(blocks * UPDATE_BLOCK_WORDS)];
    const { update, diverged } = await runner.run(encodeInt8, shape, { ...given, update: room });
    const owed = new Float32Array(blocks * UPDATE_BLOCK);
    const same = await runner.run(encodeInt8Owed, shape, { ...given, update: room, owed });
    expect(new Uint32Array(same.update.buffer)).toEqual(new Uint32Array(update.buffer));
    const scales = update.subarray(0, blocks);
    const codes = new Int8Array(update.buffer, blocks * 4, mark.length);
    return { scales, codes, diverged: new Uint32Array(diverged.buffer)[0] };
  }

  test.each([4, 252, 256, 260, 1_000, 4_100 * 256])("int8 blocks of %i floats are the codec's", async (length) => {
    const random = prng(length);
    const mark = f32(normals(random, length));
    // Blocks of zeros, and of changes that are as large as the mark or a ten-thousandth of it.
    const own = mark.map((value, i) => {
      const kind = Math.floor(i / UPDATE_BLOCK) % 6;
      return kind === 5 ? value : value - 10 ** -kind * (random() - 0.5);
    });
    const delta = mark.map((value, i) => value - own[i]);
    const codec = int8Block(length, UPDATE_BLOCK);
    const truth = codec.read(codec.encode(delta)) as Int8Blocks;
    const { scales, codes, diverged } = await encoded(mark, own);
    expect(diverged).toBe(0);
    const ulps = (x: Float32Array) => new Int32Array(x.slice().buffer);
    const [own32, true32] = [ulps(scales), ulps(truth.scales)];
    expect(Math.max(...own32.map((bits, i) => Math.abs(bits - true32[i])))).toBeLessThanOrEqual(1);
    let [most, others] = [0, 0];
    for (let i = 0; i < length; i++) {
      const difference = Math.abs(codes[i] - truth.codes[i]);
      most = Math.max(most, difference);
      if (difference !== 0) others++;
    }
    expect(most).toBeLessThanOrEqual(1);
    expect(others).toBeLessThanOrEqual(1 + length / 1_000); // ties, and nothing but ties
  });

  test.each([
    ["a NaN in own", 300, Number.NaN, 0],
    ["an infinity in own", 300, Number.NEGATIVE_INFINITY, 0],
    ["a difference beyond f32", 300, 3e38, -3e38],
    ["a difference that does not decode", 300, 3.402e38, 0],
  ])("%s is found, with its block", async (_, at, bad, marked) => {
    const mark = f32(normals(prng(1), 600));
    const own = mark.slice();
    own[at] = bad;
    mark[at] = marked;
    expect((await encoded(mark, own)).diverged).toBe(10 + Math.floor(at / UPDATE_BLOCK) + 1);
  });

  test("what is too small for a scale is zero", async () => {
    const { scales, codes } = await encoded(new Float32Array(256), new Float32Array(256).fill(1e-40));
    expect(scales).toEqual(new Float32Array(1));
    expect(codes.every((code) => code === 0)).toBe(true);
  });

  test.each([4, 252, 70_000])("the rule of the mark over %i floats, bit for bit", async (length) => {
    const random = prng(length + 1);
    const [before, own, anchor] = [1, 2, 3].map(() => f32(normals(random, length)));
    const n = length / 4;
    const diverged = Uint32Array.of(7);
    const same = (given: Float32Array, as: Float32Array) =>
      exactly(
        markCarry,
        "",
        given.map((x, i) => x - as[i]),
        0,
      ).error;
    const zero = new Float32Array(length);
    const stays = await runner.run(markAdvance, { n }, { diverged, mark: before, own });
    const moves = await runner.run(markAdvance, { n }, { diverged: new Uint32Array(1), mark: before, own });
    const { mark: carried } = await runner.run(markCarry, { n }, { own, mark: before });
    const rebased = await runner.run(markRebase, { n }, { mark: carried, own: anchor });
    expect([
      ...[same(stays.mark, before), same(stays.own, zero), same(moves.mark, own), same(moves.own, zero)],
      ...[
        same(
          carried,
          own.map((value, i) => value - before[i]),
        ),
        same(rebased.mark, anchor),
      ],
      same(
        rebased.own,
        anchor.map((value, i) => value + carried[i]),
      ),
    ]).toEqual(new Array(7).fill(0));
  });
});
