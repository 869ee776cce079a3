// Token embedding and its gradient, deterministic: rows are grouped by id on the CPU, which knows the ids anyway.
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import backward from "./embedding-backward.wgsl?raw";
import forward from "./embedding-forward.wgsl?raw";
import { inRows, overRows } from "./rows.ts";

export const embeddingForward = kernel({
  label: "embedding-forward",
  source: inRows(forward),
  shape: { rows: "u32", C: "u32" },
  bindings: { ids: "read", weight: "read", y: "write" },
  stored: ["y"],
  workgroups: ({ rows, C }, variant) => overRows(C / 4, rows, variant),
});

export const embeddingBackward = kernel({
  label: "embedding-backward",
  source: ({ half }) => expand(backward, { half }),
  shape: { rows: "u32", C: "u32" },
  bindings: { occurrences: "read", dy: "read", dweight: "write" },
  stored: ["dy"],
  workgroups: ({ rows, C }) => [Math.ceil(C / 4 / 16), Math.ceil(rows / 4), 1],
});

/** Words of the `occurrences` binding for a number of rows. */
export const occurrencesLength = (rows: number): number => 2 + 3 * rows;

/** Groups the rows by id (a stable counting sort): [count] [ids] [starts] [rows], as the kernel reads it. `vocabSize` bounds the ids. */
export function groupOccurrences(ids: Uint32Array, vocabSize: number): Uint32Array<ArrayBuffer> {
  const rows = ids.length;
  const result = new Uint32Array(occurrencesLength(rows));
  const countById = new Uint32Array(vocabSize);
  for (const id of ids) countById[id]++;
  const starts = 1 + rows;
  const places = starts + rows + 1;
  let present = 0;
  let start = 0;
  for (let id = 0; id < vocabSize; id++) {
    const count = countById[id];
    if (count === 0) continue;
    result[1 + present] = id;
    result[starts + present] = start;
    countById[id] = start; // from here on: the next free place
    start += count;
    present++;
  }
  result[0] = present;
  result[starts + present] = start;
  ids.forEach((id, row) => {
    result[places + countById[id]++] = row;
  });
  return result;
}
