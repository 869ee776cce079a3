// How a sequence is cut among the ranks of an island, so that causal attention is the same work for each of them.
//
//   chunk     0   1   …   P−1   P   …   2P−2   2P−1          2P chunks of equal length
//   rank      0   1   …   P−1  P−1  …    1      0            rank r holds chunks r and 2P−1−r: one early, one late
//
// A rank's own two chunks, one behind the other, are in the order of their positions: attention among them is the ordinary causal one. Of another rank's
// keys its queries see whole chunks or none of one, so no mask is needed: of a lower rank's all queries the early chunk, of a higher one's the late queries both.

/** Rows of each sequence as a rank holds them: [from, from + rows). */
interface Rows {
  readonly from: number;
  readonly rows: number;
}

/** Which of a rank's queries see which keys of another one. */
export interface Sight {
  readonly queries: Rows;
  readonly keys: Rows;
}

/** Positions of each sequence that a rank holds. @throws RangeError where 2 · ranks does not divide the context */
export function rowsOfRank(contextLength: number, ranks: number): number {
  if (contextLength % (2 * ranks) !== 0)
    throw new RangeError(
      `a context of ${contextLength} positions cannot be cut among ${ranks} members: each takes two equal chunks, so ${2 * ranks} must divide it`,
    );
  return contextLength / ranks;
}

/** The positions that a rank holds, in the order of its rows. */
export function positionsOf(contextLength: number, ranks: number, rank: number): number[] {
  const rows = rowsOfRank(contextLength, ranks);
  const half = rows / 2;
  const late = (2 * ranks - 1 - rank) * half;
  return Array.from({ length: rows }, (_, row) => (row < half ? rank * half + row : late + row - half));
}

/** What the queries of one rank see of the keys of another one, in rows of each. */
export function sightOf(rows: number, rank: number, other: number): Sight {
  const whole = { from: 0, rows };
  if (other < rank) return { queries: whole, keys: { from: 0, rows: rows / 2 } };
  return { queries: { from: rows / 2, rows: rows / 2 }, keys: whole };
}
