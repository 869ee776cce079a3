// A model's flat vector cut among the ranks of an island, and put together again.
//
//   q, k, v, gate, up (out, in)   rows: a rank's heads, and its feed-forward columns
//   o, down (out, in)             columns, of the same heads and columns: products with them are partial sums
//   embedding, head, norms        everybody's
import { headSizeOf, parameterTable, type RankShape } from "#outer";
import type { ModelShape } from "#wire";

/** What one rank computes: key/value heads with the query heads that read them, and columns of the feed-forward layer. */
export interface Share {
  readonly kvHeads: { readonly first: number; readonly count: number };
  readonly columns: { readonly first: number; readonly count: number };
}

/**
 * Each rank's share, by rank. Heads stay whole, so a rank may have one more than another, or none: feed-forward columns, in fours as kernels read them, even the work out.
 * @throws RangeError where there are fewer fours of columns than ranks
 */
export function sharesOf(model: ModelShape, ranks: number): Share[] {
  const fours = model.dFfn / 4;
  if (fours < ranks)
    throw new RangeError(
      `a feed-forward layer of ${model.dFfn} columns cannot be cut among ${ranks} members: each needs four`,
    );
  const { heads, kvHeads, dModel } = model;
  const weightsPerHead = (2 * (heads / kvHeads) + 2) * headSizeOf(model) * dModel;
  const weightsPerFour = 3 * 4 * dModel;
  const wanted = (kvHeads * weightsPerHead + fours * weightsPerFour) / ranks;
  const shares: Share[] = [];
  let [head, four, owed] = [0, 0, 0];
  for (let rank = 0; rank < ranks; rank++) {
    const headEnd = Math.round(((rank + 1) * kvHeads) / ranks);
    owed += wanted - (headEnd - head) * weightsPerHead;
    const left = ranks - 1 - rank;
    const most = fours - left - four;
    const count = left === 0 ? most : Math.min(most, Math.max(1, Math.round(owed / weightsPerFour)));
    owed -= count * weightsPerFour;
    shares.push({ kvHeads: { first: head, count: headEnd - head }, columns: { first: 4 * four, count: 4 * count } });
    [head, four] = [headEnd, four + count];
  }
  return shares;
}

/** The model that a rank computes. */
export function rankShape(model: ModelShape, { kvHeads, columns }: Share): RankShape {
  const heads = (model.heads / model.kvHeads) * kvHeads.count;
  return { ...model, heads, kvHeads: kvHeads.count, dFfn: columns.count, headSize: headSizeOf(model) };
}

/** Of a matrix that is cut: along which side, and the first row or column that a share has. */
interface Cut {
  readonly along: "rows" | "columns";
  readonly first: number;
}

const PARTS = /\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)\.weight$/;

function cutOf(name: string, model: ModelShape, { kvHeads, columns }: Share): Cut | undefined {
  const part = PARTS.exec(name)?.[1];
  if (part === undefined) return undefined;
  const keys = kvHeads.first * headSizeOf(model);
  const queries = (keys * model.heads) / model.kvHeads;
  if (part === "o_proj") return { along: "columns", first: queries };
  if (part === "down_proj") return { along: "columns", first: columns.first };
  return {
    along: "rows",
    first: part === "q_proj" ? queries : part === "k_proj" || part === "v_proj" ? keys : columns.first,
  };
}

interface Run {
  readonly whole: number; // floats from the start of the model's vector
  readonly part: number; //  of the rank's
  readonly length: number;
  readonly cut: boolean;
}

/** Every stretch of the rank's vector, and where it lies in the model's. */
function* runsOf(model: ModelShape, share: Share): Generator<Run> {
  const whole = parameterTable(model).tensors;
  const parts = parameterTable(rankShape(model, share)).tensors; // the same names, so the same order
  for (const [i, { name, offset, length, shape }] of whole.entries()) {
    const part = parts[i];
    const cut = cutOf(name, model, share);
    if (cut?.along !== "columns") {
      const from = (cut?.first ?? 0) * (length / shape[0]);
      yield { whole: offset + from, part: part.offset, length: part.length, cut: cut !== undefined };
      continue;
    }
    const [rows, columns] = part.shape;
    for (let row = 0; row < rows; row++)
      yield {
        whole: offset + row * shape[1] + cut.first,
        part: part.offset + row * columns,
        length: columns,
        cut: true,
      };
  }
}

/** What a share has of the model's flat vector, flat in the order of its own parameterTable(). @throws RangeError on a wrong length */
export function partOf<V extends Float32Array | Float64Array>(model: ModelShape, share: Share, flat: V): V {
  const { length } = parameterTable(model);
  if (flat.length !== length) throw new RangeError(`the model has ${length} parameters, got ${flat.length}`);
  const part = new (flat.constructor as new (length: number) => V)(parameterTable(rankShape(model, share)).length);
  for (const { whole, part: to, length } of runsOf(model, share)) part.set(flat.subarray(whole, whole + length), to);
  return part;
}

/** The model's vector from its parts, by rank; what is everybody's is rank 0's. */
export function joinParts<V extends Float32Array | Float64Array>(model: ModelShape, parts: readonly V[]): V {
  const flat = new (parts[0].constructor as new (length: number) => V)(parameterTable(model).length);
  const shares = sharesOf(model, parts.length);
  for (const [rank, part] of parts.entries())
    for (const { whole, part: from, length, cut } of runsOf(model, shares[rank]))
      if (rank === 0 || cut) flat.set(part.subarray(from, from + length), whole);
  return flat;
}
