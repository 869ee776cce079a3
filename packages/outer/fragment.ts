// Fragments (Streaming DiLoCo; Douillard et al., 2025): a round exchanges one part of the parameters, round r fragment r mod F, and leaves the others
// as they are. H inner steps between two turns of a fragment are rounds of H / F steps each.
//
//   fragment p = layers l with l mod F = p (strided, so that each holds early and late ones); embedding, final norm and head join the smallest
//
// A fragment is a table of its own: its tensors in name order, one behind the other, in a flat vector of its own length.
//
//   model's flat vector  --gather-->  fragment's  --scatter-->  model's
//
// Without fragments the whole model is the one fragment of every round.
import type { RunSpec } from "#wire";
import { sharedTable } from "./lora.ts";
import type { ParameterTable, TensorPlace } from "./parameters.ts";

interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Fragment {
  /** With places in the fragment's own vector. */
  readonly table: ParameterTable;
  /** Where that lies in the model's, in order. */
  readonly ranges: readonly Range[];
}

/** What each round of the run exchanges. */
export function fragmentsOf(spec: Pick<RunSpec, "model" | "lora" | "outer">): (round: number) => Fragment {
  const { outer } = spec;
  const table = sharedTable(spec);
  const count = outer.fragments ?? 1;
  const parts = Array.from({ length: count }, (): TensorPlace[] => []);
  const rest: TensorPlace[] = [];
  for (const tensor of table.tensors) {
    const layer = /^(?:base_model\.model\.)?model\.layers\.(\d+)\./.exec(tensor.name)?.[1];
    (layer === undefined ? rest : parts[Number(layer) % count]).push(tensor);
  }
  const sizes = parts.map((part) => part.reduce((sum, { length }) => sum + length, 0));
  parts[sizes.indexOf(Math.min(...sizes))].push(...rest);
  const fragments = parts.map(fragmentFrom);
  return (round) => fragments[round % count];
}

/** All of a vector of that length. */
export const wholeOf = (length: number): Fragment => ({
  table: { tensors: [], length },
  ranges: [{ start: 0, end: length }],
});

function fragmentFrom(tensors: readonly TensorPlace[]): Fragment {
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset); // offsets are in name order
  const ranges: Range[] = [];
  let length = 0;
  const own = sorted.map((tensor) => {
    const [start, end] = [tensor.offset, tensor.offset + tensor.length];
    const last = ranges.at(-1);
    if (last?.end === start) ranges[ranges.length - 1] = { start: last.start, end };
    else ranges.push({ start, end });
    const place = { ...tensor, offset: length };
    length += tensor.length;
    return place;
  });
  return { table: { tensors: own, length }, ranges };
}

/** The fragment's values, a new vector. */
export function gather(flat: Float32Array, { table, ranges }: Fragment): Float32Array {
  const part = new Float32Array(table.length);
  let at = 0;
  for (const { start, end } of ranges) {
    part.set(flat.subarray(start, end), at);
    at += end - start;
  }
  return part;
}

/** Puts the fragment's values where they belong; the others stay. */
export function scatter(part: Float32Array, flat: Float32Array, { ranges }: Fragment): void {
  let at = 0;
  for (const { start, end } of ranges) {
    flat.set(part.subarray(at, at + end - start), start);
    at += end - start;
  }
}
