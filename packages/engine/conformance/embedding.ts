import { embeddingBackward, embeddingForward, groupOccurrences } from "../kernels/embedding.ts";
import {
  type EmbeddingShape,
  embeddingBackward as referenceBackward,
  embeddingForward as referenceForward,
} from "../reference/index.ts";
import { normals, prng, randomIds } from "../reference/testing.ts";
import { type Check, compare, plus } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

/** Forward is a copy, to the bit; backward accumulates, and gives the same bits again. */
export async function checkEmbedding(runner: KernelRunner, shape: EmbeddingShape): Promise<Check[]> {
  const { N, V, C } = shape;
  const random = prng(N);
  const ids = Uint32Array.from(randomIds(random, N, V));
  const weight = runner.stored(normals(random, V * C));
  const dy = runner.stored(normals(random, N * C));
  const before = f32(normals(random, V * C));
  const { y } = await runner.run(embeddingForward, { rows: N, C }, { ids, weight, y: unwritten(N * C) });
  const given = { occurrences: groupOccurrences(ids, V), dy, dweight: before };
  const { dweight } = await runner.run(embeddingBackward, { rows: N, C }, given);
  const again = await runner.run(embeddingBackward, { rows: N, C }, given);
  const truth = plus(referenceBackward({ ids, dx: dy }, shape), before);
  return [
    compare(embeddingForward, "y", y, referenceForward({ ids, weight }, shape), 0),
    compare(embeddingBackward, "dweight", dweight, truth, 1e-6),
    compare(embeddingBackward, "dweight, again", again.dweight, dweight, 0),
  ];
}
