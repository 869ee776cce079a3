import { int8Block } from "#outer";
import { encodeInt8, markAdvance, markCarry, markRebase, UPDATE_BLOCK, UPDATE_BLOCK_WORDS } from "../kernels/mark.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

/** An update as it decodes, and the mark before and after; `floats` a multiple of a block. */
export async function checkMark(runner: KernelRunner, { floats }: { readonly floats: number }): Promise<Check[]> {
  const random = prng(floats);
  const [mark, own, anchor] = [1, 0.5, 2].map((size) => f32(normals(random, floats, size)));
  const blocks = floats / UPDATE_BLOCK;
  const body = unwritten(blocks * UPDATE_BLOCK_WORDS);
  const given = { mark, own, update: body, diverged: new Uint32Array(1) };
  const { update } = await runner.run(encodeInt8, { blocks, firstBlock: 0 }, given);
  const delta = mark.map((value, i) => value - own[i]);
  const truth = int8Block(floats, UPDATE_BLOCK).encode(delta);

  const n = floats / 4;
  const advanced = await runner.run(markAdvance, { n }, { diverged: new Uint32Array(1), mark, own });
  const { mark: carried } = await runner.run(markCarry, { n }, { own, mark });
  const rebased = await runner.run(markRebase, { n }, { mark: carried, own: anchor });
  const sum = anchor.map((value, i) => value + carried[i]);
  return [
    compare(encodeInt8, "update as decoded", decodedBlocks(update, floats), decoded(truth, floats), 2e-3), // where a code is a tie it may be the next
    compare(markAdvance, "mark", advanced.mark, own, 0),
    compare(markAdvance, "own", advanced.own, new Float32Array(floats), 0),
    compare(
      markCarry,
      "carried",
      carried,
      delta.map((value) => -value),
      0,
    ),
    compare(markRebase, "mark", rebased.mark, anchor, 0),
    compare(markRebase, "own", rebased.own, sum, 0),
  ];
}

export const decodedBlocks = ({ buffer }: Float32Array<ArrayBuffer>, length: number): Float32Array =>
  decoded(new Uint8Array(buffer, 0, (length / UPDATE_BLOCK) * 4 + length), length);

/** NaN where it does not read. */
function decoded(body: Uint8Array, length: number): Float32Array {
  const read = int8Block(length, UPDATE_BLOCK).read(body);
  const values = new Float32Array(length).fill(typeof read === "string" ? Number.NaN : 0);
  if (typeof read !== "string") read.addTo(values, 1, 0, length);
  return values;
}
