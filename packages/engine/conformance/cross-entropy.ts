import { crossEntropy } from "../kernels/cross-entropy.ts";
import { packScaling, packStep } from "../kernels/optimizer.ts";
import { NO_UPDATE } from "../model/batch.ts";
import { type CrossEntropyShape, crossEntropyBackward, crossEntropyForward } from "../reference/index.ts";
import { normals, prng, randomIds } from "../reference/testing.ts";
import { type Check, compare, exactly } from "./check.ts";
import { f32, type KernelRunner } from "./runner.ts";

/** Loss and gradient of padded rows; with one token in the vocabulary the gradient is zero. */
export async function checkCrossEntropy(runner: KernelRunner, { N, V }: CrossEntropyShape): Promise<Check[]> {
  const random = prng(V);
  const width = Math.ceil(V / 4) * 4;
  const logits = runner.stored(normals(random, N * V, 5));
  const targets = Uint32Array.from(randomIds(random, N, V));
  const padded = new Float32Array(N * width).fill(3); // the padding's own numbers must not matter
  for (let n = 0; n < N; n++) padded.set(logits.subarray(n * V, (n + 1) * V), n * width);
  const losses = f32(new Array(N).fill(1)); // each adds to what was there
  const given = { step: packStep(NO_UPDATE, 1, N, N), targets, logits: padded, losses, scaling: packScaling(1 / N) };
  const out = await runner.run(crossEntropy, { rows: N, V, firstRow: 0 }, given);

  const truth = crossEntropyForward({ logits, targets }, { N, V });
  const dlogits = crossEntropyBackward({ logits, targets, lse: truth.lse }, { N, V });
  const own = out.logits.filter((_, i) => i % width < V);
  const padding = out.logits.filter((_, i) => i % width >= V);
  const mean = out.losses.reduce((sum, loss) => sum + loss, 0) / N;
  return [
    compare(crossEntropy, "loss", [mean], [1 + truth.loss], 1e-5),
    V === 1
      ? exactly(crossEntropy, "dlogits", own, 0)
      : compare(crossEntropy, "dlogits", own, dlogits, runner.storedError(1e-4)),
    exactly(crossEntropy, "padding", padding, 0),
  ];
}
