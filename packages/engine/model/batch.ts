// From windows of token ids to what the kernels read.
import { groupOccurrences } from "../kernels/embedding.ts";

export interface Batch {
  readonly ids: Uint32Array<ArrayBuffer>;
  readonly targets: Uint32Array<ArrayBuffer>;
  readonly occurrences: Uint32Array<ArrayBuffer>;
}

/** windows: (B, T+1) ids, row-major; inputs are ids[0..T) of each row, targets ids[1..T]. Throws RangeError on a wrong length or id. */
export function batchOf(windows: Uint16Array, B: number, T: number, vocabSize: number): Batch {
  if (windows.length !== B * (T + 1)) {
    throw new RangeError(`a microbatch is ${B} sequences of ${T} + 1 ids (${B * (T + 1)}), got ${windows.length}`);
  }
  const ids = new Uint32Array(B * T);
  const targets = new Uint32Array(B * T);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      ids[b * T + t] = windows[b * (T + 1) + t];
      targets[b * T + t] = windows[b * (T + 1) + t + 1];
    }
  }
  const wrong = windows.find((id) => id >= vocabSize);
  if (wrong !== undefined) throw new RangeError(`token id ${wrong} is outside the vocabulary of ${vocabSize}`);
  return { ids, targets, occurrences: groupOccurrences(ids, vocabSize) };
}
