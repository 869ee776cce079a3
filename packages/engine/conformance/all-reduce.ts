import { allReduceNormBackward, allReduceNormForward, gammaBlocks } from "../kernels/rmsnorm.ts";
import { encodeShard, shardWords } from "../kernels/shard.ts";
import {
  decodeShard,
  rmsnormBackward as referenceBackward,
  rmsnormForward as referenceForward,
  encodeShard as referenceShard,
  shardFrom,
  shardWordsOf,
} from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare, plus } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

const EPS = 1e-5;

/** Shards of other peers and perhaps a part of our own into residual and norm, and all of its backward pass; what is sent, too. */
export async function checkAllReduceNorm(
  runner: KernelRunner,
  { N, C, K, shards }: { readonly N: number; readonly C: number; readonly K: 0 | 1; readonly shards: number },
): Promise<Check[]> {
  const random = prng(shards * 100 + N + K);
  const floats = N * C;
  const vector = () => runner.stored(normals(random, floats));
  const received = Array.from({ length: shards }, () => referenceShard(vector()));
  const words = Uint32Array.from(received.flatMap((shard) => [...shardWordsOf(shard)]));
  const decoded = received.map(decodeShard);
  const [own, residual] = [vector(), vector()];
  const gamma = f32(normals(random, C).map((g) => 1 + 0.1 * g));
  const forward = await runner.run(
    allReduceNormForward,
    { rows: N, C, K, eps: EPS, shards },
    {
      ...{ partials: own, residual, gamma, shards: words },
      ...{ residualOut: unwritten(floats), y: unwritten(floats), rstd: unwritten(N) },
    },
  );
  const partials = [...(K === 1 ? [own] : []), ...decoded];
  const truth = referenceForward({ partials, residual, weight: gamma }, { N, C, eps: EPS });

  const behind = vector();
  const shape = { rows: N, C, K, shards };
  const kept = { dy: own.slice(), x: forward.residualOut, rstd: forward.rstd, gamma, shards: words };
  const sums = unwritten(gammaBlocks(N) * C);
  const backward = await runner.run(
    allReduceNormBackward,
    { ...shape, accumulate: 1 },
    { ...kept, dx: behind.slice(), partials: sums },
  );
  const dNormed = partials.reduce((sum, part) => f32(plus(sum, part)), new Float32Array(floats));
  const back = referenceBackward(
    { dNormed, dResidualAfter: behind, residual: truth.residual, rstd: truth.rstd, weight: gamma },
    { N, C, eps: EPS },
  );
  const dWeight = columnSums(backward.partials, C);

  const vectors = floats / 4;
  const sent = await runner.run(encodeShard, { vectors }, { x: own, shard: unwritten(shardWords(vectors)) });
  const made = shardFrom(new Uint32Array(sent.shard.buffer), floats);
  const expected = referenceShard(own);
  return [
    compare(allReduceNormForward, "residual", forward.residualOut, truth.residual, runner.storedError(1e-6)),
    compare(allReduceNormForward, "y", forward.y, truth.normed, runner.storedError(1e-5)),
    compare(allReduceNormForward, "rstd", forward.rstd, truth.rstd, runner.storedError(1e-5)),
    compare(allReduceNormBackward, "dy", backward.dy, dNormed, runner.storedError(1e-6)),
    compare(allReduceNormBackward, "dx", backward.dx, back.dResidual, runner.storedError(1e-5)),
    compare(allReduceNormBackward, "dgamma", dWeight, back.dWeight, runner.storedError(1e-4)),
    compare(encodeShard, "scales", made.scales, expected.scales, 1e-6),
    // A quotient between two codes may fall to either side: a whole code in some thousand.
    compare(encodeShard, "what it decodes to", decodeShard(made), decodeShard(expected), 1e-3),
  ];
}

function columnSums(partials: ArrayLike<number>, C: number): number[] {
  const sums = new Array<number>(C).fill(0);
  for (let i = 0; i < partials.length; i++) sums[i % C] += partials[i];
  return sums;
}
