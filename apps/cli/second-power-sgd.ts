// The second reader's PowerSGD, written from docs/FORMATS.md alone: directions of genesis, values of a body, directions after a mean.
import { mix, type Tensor } from "./second-codecs.ts";

const { fround, sqrt } = Math;

type Column = number[];
type Product = (total: number, a: number, b: number) => number;
const plus: Product = (total, a, b) => fround(total + fround(a * b));

interface Sides {
  /** Of P, then of Q: rows, and its place in the section. */
  readonly P: { readonly rows: number; readonly at: number };
  readonly Q: { readonly rows: number; readonly at: number };
}

/** In order, with the places of those that are factored. */
function sidesOf(tensors: readonly Tensor[], rank: number): (Sides | undefined)[] {
  let at = 0;
  return tensors.map(([name, rows, columns]) => {
    if (name.endsWith("norm.weight") || 2 * rank > Math.min(rows, columns)) return undefined;
    const sides = { P: { rows, at }, Q: { rows: columns, at: at + rank * rows } };
    at += rank * (rows + columns);
    return sides;
  });
}

const columnsAt = (section: Float32Array, rank: number, { rows, at }: Sides["P"]): Column[] =>
  Array.from({ length: rank }, (_, k) => [...section.subarray(at + k * rows, at + (k + 1) * rows)]);

function straight(column: Column, before: readonly Column[]): Column | undefined {
  const largest = Math.max(...column.map(Math.abs));
  if (!(largest > 0) || largest === Number.POSITIVE_INFINITY) return undefined;
  let v = column.map((value) => fround(value / largest));
  const square = (w: Column) => w.reduce((sum, value) => plus(sum, value, value), 0);
  const whole = square(v);
  for (const u of [...before, ...before]) {
    const along = v.reduce((sum, value, i) => plus(sum, u[i]!, value), 0);
    v = v.map((value, i) => fround(value - fround(along * u[i]!)));
  }
  const left = square(v);
  if (!(left > fround(fround(1e-6) * whole))) return undefined;
  return v.map((value) => fround(value / fround(sqrt(left))) + 0);
}

/** Writes the columns, orthonormal, to their place in the section. */
function setOrthonormal(section: Float32Array, columns: readonly Column[], at: number, key: number): void {
  const done: Column[] = [];
  for (const [k, column] of columns.entries()) {
    const rows = column.length;
    const drawn = () => column.map((_, i) => fround(mix(mix(at + k * rows + i) ^ key) / 2 ** 31));
    done.push(straight(column, done) ?? straight(drawn(), done) ?? column.map(() => 0));
  }
  section.set(done.flat(), at);
}

export function powerGenesis(tensors: readonly Tensor[], rank: number, seed: number): Float32Array {
  const sides = sidesOf(tensors, rank);
  const section = new Float32Array(
    sides.reduce((sum, side) => sum + (side ? rank * (side.P.rows + side.Q.rows) : 0), 0),
  );
  for (const side of sides)
    for (const { rows, at } of side ? [side.P, side.Q] : [])
      setOrthonormal(
        section,
        Array.from({ length: rank }, () => new Array<number>(rows).fill(0)),
        at,
        mix(mix(seed ^ 0x9e3779b9)),
      );
  return section;
}

/** Sets the values. @returns the sum of the squares of what was sent; undefined when the body does not read */
export function powerValues(
  bytes: Buffer,
  values: Float32Array,
  tensors: readonly Tensor[],
  { rank, round, section }: { readonly rank: number; readonly round: number; readonly section: Float32Array },
): number | undefined {
  const sides = sidesOf(tensors, rank);
  const floats = tensors.map(([, rows, columns], t) =>
    sides[t] ? rank * (round % 2 === 0 ? columns : rows) : rows * columns,
  );
  if (bytes.length !== 4 * floats.reduce((a, b) => a + b, 0)) return undefined;
  const sent = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
  if (!sent.every(Number.isFinite)) return undefined;
  const squares = sent.reduce((sum, value) => sum + value * value, 0);
  if (sqrt(squares) >= 1e37) return undefined;
  let [from, place] = [0, 0];
  for (const [t, [, rows, columns]] of tensors.entries()) {
    const own = sent.slice(from, from + floats[t]!);
    from += floats[t]!;
    const side = sides[t];
    if (!side) values.set(own, place);
    else {
      const height = own.length / rank;
      const given = Array.from({ length: rank }, (_, k) => own.slice(k * height, (k + 1) * height));
      const [P, Q] =
        round % 2 === 0 ? [columnsAt(section, rank, side.P), given] : [given, columnsAt(section, rank, side.Q)];
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++)
          values[place + i * columns + j] = P.reduce((sum, p, k) => plus(sum, p[i]!, Q[k]![j]!), 0);
    }
    place += rows * columns;
  }
  return squares;
}

/** The section after a round whose updates have that mean. */
export function powerAdvance(
  section: Float32Array,
  mean: Float32Array,
  tensors: readonly Tensor[],
  { rank, round, seed }: { readonly rank: number; readonly round: number; readonly seed: number },
): void {
  let place = 0;
  for (const [t, side] of sidesOf(tensors, rank).entries()) {
    const [, rows, columns] = tensors[t]!;
    const M = (i: number, j: number) => mean[place + i * columns + j]!;
    if (side) {
      const even = round % 2 === 0;
      const own = columnsAt(section, rank, even ? side.P : side.Q);
      const to = even ? side.Q : side.P;
      const next = own.map((column) =>
        Array.from({ length: to.rows }, (_, n) =>
          column.reduce((sum, value, m) => plus(sum, even ? M(m, n) : M(n, m), value), 0),
        ),
      );
      setOrthonormal(section, next, to.at, mix(mix(seed ^ 0x9e3779b9) + round + 1));
    }
    place += rows * columns;
  }
}
