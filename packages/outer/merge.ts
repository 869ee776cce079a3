// Merge: what the parameters in training become when their round is sealed, in place. Of the round's fragment alone; the others train on as they are.
//
//   absent        local' = anchor' + (local − from)              what was trained since the offer stays, whole (the mark rule, replica.ts)
//   keepLocal α   local' = α · local + (1 − α) · anchor'         Streaming DiLoCo's mixing, where the commit names our offer; else the mark rule
//
// Each peer's own affair, so nothing here is canonical.
import type { RunSpec } from "#wire";
import { type Fragment, fragmentsOf } from "./fragment.ts";
import { rebase } from "./replica.ts";

export interface Sealing {
  readonly round: number;
  /** After the round: the whole model's. */
  readonly anchor: Float32Array;
  /** What a replica's `sealed` answered. */
  readonly from: Float32Array;
  /** The commit counts our offer. */
  readonly named: boolean;
}

export function mergeOf(
  spec: Pick<RunSpec, "model" | "outer">,
): (local: Float32Array, sealing: Sealing) => Float32Array {
  const fragmentAt = fragmentsOf(spec);
  const { keepLocal } = spec.outer.merge ?? {};
  return (local, { round, anchor, from, named }) =>
    keepLocal === undefined || !named
      ? rebase(local, anchor, from, fragmentAt(round))
      : mix(local, anchor, keepLocal, fragmentAt(round));
}

function mix(local: Float32Array, anchor: Float32Array, keepLocal: number, { ranges }: Fragment): Float32Array {
  for (const { start, end } of ranges)
    for (let i = start; i < end; i++) local[i] = keepLocal * local[i] + (1 - keepLocal) * anchor[i];
  return local;
}
