// From windows of token ids to what the kernels read.
import type { StepOptions } from "../engine.ts";
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

/** An evaluation's windows (each T+1 ids), B at a time; the last group may be short, its other rows count nothing. Throws RangeError. */
export function groupsOf(windows: readonly Uint16Array[], B: number, T: number): { ids: Uint16Array; rows: number }[] {
  if (windows.length === 0) throw new RangeError("evaluation needs at least one window");
  return Array.from({ length: Math.ceil(windows.length / B) }, (_, g) => {
    const group = windows.slice(g * B, (g + 1) * B);
    const ids = new Uint16Array(B * (T + 1));
    group.forEach((window, b) => {
      if (window.length !== T + 1) throw new RangeError(`a window has ${T} + 1 ids, got ${window.length}`);
      ids.set(window, b * (T + 1));
    });
    return { ids, rows: group.length * T };
  });
}

/** What a gradient or an evaluation puts where a step has its hyperparameters: kernels read only the scales then. */
export const NO_UPDATE: StepOptions = {
  learningRate: 0,
  beta1: 0.9,
  beta2: 0.99,
  eps: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
};
