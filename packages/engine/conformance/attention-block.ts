import { positionsOf, rowsOfRank, sightOf } from "../island/zig-zag.ts";
import { attentionBackwardKv, attentionBackwardQ, attentionForward } from "../kernels/attention.ts";
import {
  attentionBlockBackwardKv,
  attentionBlockBackwardQ,
  attentionBlockForward,
  keysAdd,
  keysTake,
} from "../kernels/attention-block.ts";
import { type AttentionShape, attentionBackward, attentionForward as referenceForward } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { columns, join } from "./attention.ts";
import { type Check, compare } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

/** Sequences whose positions `ranks` share, rank by rank on one device, against attention of the whole. The runner's head size is the shape's D. */
export async function checkAttentionBlocks(
  runner: KernelRunner,
  shape: AttentionShape,
  ranks: number,
): Promise<Check[]> {
  const { B, T, NH, KVH, D } = shape;
  const random = prng(T);
  const q = runner.stored(normals(random, B * T * NH * D, 2));
  const k = runner.stored(normals(random, B * T * KVH * D, 2));
  const v = runner.stored(normals(random, B * T * KVH * D));
  const dOut = runner.stored(normals(random, B * T * NH * D));
  const truth = referenceForward({ q, k, v }, shape);
  const back = attentionBackward({ q, k, v, ...truth, dOut }, shape);

  const rows = rowsOfRank(T, ranks);
  const [stride, width] = [(NH + 2 * KVH) * D, 2 * KVH * D];
  const shared = { T: rows, heads: NH, kvHeads: KVH, scale: 1 / Math.sqrt(D), B };
  const positions = Array.from({ length: ranks }, (_, rank) => positionsOf(T, ranks, rank));
  const others = (rank: number): number[] => positions.map((_, other) => other).filter((other) => other !== rank);
  /** x (sequences, T, floats) -> the rank's rows of it */
  const held = (x: ArrayLike<number>, rank: number, sequences: number, floats: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: sequences * rows * floats }, (_, i) => {
      const [row, column] = [Math.floor(i / floats), i % floats];
      return x[(Math.floor(row / rows) * T + positions[rank][row % rows]) * floats + column];
    });
  const blockOf = (rank: number, other: number) => {
    const { queries, keys } = sightOf(rows, rank, other);
    return { first: queries.from, queries: queries.rows, keys: keys.rows };
  };
  /** kv (B, rows, width) -> its first `keys` rows of each sequence */
  const seen = (kv: Float32Array, keys: number): Float32Array<ArrayBuffer> =>
    f32(Array.from({ length: B }, (_, b) => [...kv.subarray(b * rows * width, (b * rows + keys) * width)]).flat());

  const own = [];
  for (const rank of positions.keys()) {
    const qkv = join([held(q, rank, B, NH * D), held(k, rank, B, KVH * D), held(v, rank, B, KVH * D)], B * rows);
    const taken = { rows: B * rows, stride4: stride / 4, width4: width / 4 };
    const { kv } = await runner.run(keysTake, taken, { qkv, kv: unwritten(B * rows * width) });
    own.push({ qkv, kv, dy: held(dOut, rank, B, NH * D) });
  }
  const checks: Check[] = [];
  const passed = [];
  for (const [rank, { qkv, dy }] of own.entries()) {
    const unwrittenOut = { y: unwritten(B * rows * NH * D), lse: unwritten(B * rows * NH) };
    let attended = await runner.run(attentionForward, shared, { qkv, ...unwrittenOut });
    for (const other of others(rank)) {
      const block = blockOf(rank, other);
      const kv = seen(own[other].kv, block.keys);
      attended = await runner.run(attentionBlockForward, { ...shared, ...block }, { ...attended, qkv, kv });
    }
    const statistics = held(truth.lse, rank, B * NH, 1);
    checks.push(
      compare(
        attentionBlockForward,
        `y of rank ${rank}`,
        attended.y,
        held(truth.out, rank, B, NH * D),
        runner.storedError(1e-5),
      ),
      compare(attentionBlockForward, `lse of rank ${rank}`, attended.lse, statistics, runner.storedError(1e-5)),
    );
    const empty = { dqkv: unwritten(qkv.length), delta: unwritten(B * rows * NH) };
    const { dqkv, delta } = await runner.run(attentionBackwardQ, shared, { ...attended, qkv, dy, ...empty });
    const given = { qkv, dy, lse: attended.lse, delta };
    let both = await runner.run(attentionBackwardKv, shared, { ...given, dqkv });
    const dkvs = new Map<number, Float32Array<ArrayBuffer>>();
    for (const other of others(rank)) {
      const block = { ...shared, ...blockOf(rank, other) };
      const kv = seen(own[other].kv, block.keys);
      both = await runner.run(attentionBlockBackwardQ, block, { ...given, kv, dqkv: both.dqkv });
      const { dkv } = await runner.run(attentionBlockBackwardKv, block, { ...given, kv, dkv: unwritten(kv.length) });
      dkvs.set(other, dkv);
    }
    passed.push({ ...both, dkvs });
  }
  for (const rank of passed.keys()) {
    let { dqkv } = passed[rank];
    for (const other of others(rank)) {
      const { keys } = blockOf(other, rank);
      const added = { rows: B * keys, stride4: stride / 4, width4: width / 4, keys, T: rows };
      ({ dqkv } = await runner.run(keysAdd, added, { dkv: passed[other].dkvs.get(rank)!, dqkv }));
    }
    const part = (from: number, heads: number): Float32Array => columns(dqkv, B * rows, from * D, heads * D);
    const allowed = runner.storedError(1e-4);
    checks.push(
      compare(attentionBlockBackwardQ, `dq of rank ${rank}`, part(0, NH), held(back.dq, rank, B, NH * D), allowed),
      compare(attentionBlockBackwardKv, `dk of rank ${rank}`, part(NH, KVH), held(back.dk, rank, B, KVH * D), allowed),
      compare(
        attentionBlockBackwardKv,
        `dv of rank ${rank}`,
        part(NH + KVH, KVH),
        held(back.dv, rank, B, KVH * D),
        allowed,
      ),
    );
  }
  return checks;
}
