// PowerSGD: of each matrix of the pseudo-gradient its projection on r directions that all peers share and that follow the run: half of a power iteration a round.
//
//   M (a × b) of a peer; P (a × r) and Q (b × r) shared, orthonormal
//   even round   Q_i = Mᵀ P is sent, P Q_iᵀ decoded;    then Q = orthonormal(mean of Q_i) for the next round
//   odd round    P_i = M Q is sent,  P_i Qᵀ decoded;    then P = orthonormal(mean of P_i)
//
// Everything is linear: the mean of what was decoded is M̄ P Pᵀ, and since PᵀP = 1, its product with P is the mean of the Q_i. So the fold asks for nothing but
// the mean that it has. Bytes: 4 r b or 4 r a for a matrix instead of 4 a b: r = 4 on 768 × 768 is 192 times fewer. Matrices of less than 2 r rows or
// columns, and vectors, are sent as they are, f32.
//
//   body      for each tensor in order: its factor (b × r or a × r, one column after the other), or its values; f32
//   shared    section "codec" of the shared state: for each matrix in order P, then Q
//   decoded   Σ over the r columns in order of P[i] · Q[j], each operation rounded to f32
//
// Error: what lies outside of r directions, all of it at first. Learns with error feedback, which brings it later while the directions turn to the largest part.
// Source: Vogels et al., 2019; in the form of their library (epfml/powersgd), one half-iteration a step. Default rank 4; pseudo-gradients of many inner steps
// have higher rank than gradients: 16 and more.
import { assert } from "../assert.ts";
import type { ParameterTable, TensorPlace } from "../parameters.ts";
import { bitsAt } from "../random.ts";
import { type Codec, type Decoded, type RunCodec, refuseBeyond } from "./codec.ts";
import { orthonormalize } from "./orthonormal.ts";
import { raw } from "./raw.ts";

const ID = 12;
/** A group's aggregate is made without the round's directions. */
const SUMS = false;
const { fround } = Math;
/** No value of a product with orthonormal columns exceeds it then, and no sum on the way there overflows. */
const NORM_MAX = 1e37;

/** A tensor, in the vector of parameters, in the body and in the shared section. */
interface Part {
  readonly tensor: TensorPlace;
  /** Where its factor or its values begin in the body, in floats. */
  readonly at: number;
  /** Of a matrix that is factored. */
  readonly matrix?: {
    readonly rows: number; //       a
    readonly columns: number; //    b
    readonly P: number; //          places in the shared section
    readonly Q: number;
  };
}

interface Layout {
  readonly parts: readonly Part[];
  readonly bodyFloats: number;
  readonly sharedFloats: number;
}

/** @param even whether the round is: it decides what a body holds */
function layoutOf({ tensors }: ParameterTable, rank: number, even: boolean): Layout {
  let [at, shared] = [0, 0];
  const parts = tensors.map((tensor): Part => {
    const own = at;
    const [rows, columns] = tensor.shape;
    if (tensor.shape.length !== 2 || 2 * rank > Math.min(rows, columns)) {
      at += tensor.length;
      return { tensor, at: own };
    }
    const P = shared;
    const Q = P + rank * rows;
    shared = Q + rank * columns;
    at += rank * (even ? columns : rows);
    return { tensor, at: own, matrix: { rows, columns, P, Q } };
  });
  return { parts, bodyFloats: at, sharedFloats: shared };
}

interface PowerSgdOptions {
  readonly rank: number;
  readonly feedback: number;
}

/** @param keyOf a round's own; -1: genesis */
export function powerSgd(table: ParameterTable, options: PowerSgdOptions, keyOf: (round: number) => number): RunCodec {
  const bodyFloats = (even: boolean): number => layoutOf(table, options.rank, even).bodyFloats;
  return {
    id: ID,
    block: options.rank,
    feedback: options.feedback,
    sums: SUMS,
    bodyBytesMax: 4 * Math.max(bodyFloats(true), bodyFloats(false)),
    at: (round, shared) => {
      assert(shared !== undefined, "PowerSGD's directions are shared state");
      return new PowerSgd(table, options, { round, key: keyOf(round), shared });
    },
    genesis: () => genesis(table, options.rank, keyOf(-1)),
  };
}

/** Random directions, the same for everybody. */
function genesis(table: ParameterTable, rank: number, key: number): Float32Array {
  const { parts, sharedFloats } = layoutOf(table, rank, true);
  const shared = new Float32Array(sharedFloats);
  for (const { matrix } of parts) {
    if (!matrix) continue;
    for (const [place, rows] of [
      [matrix.P, matrix.rows],
      [matrix.Q, matrix.columns],
    ])
      orthonormalize(shared.subarray(place, place + rank * rows), rows, (index) => drawn(key, place + index));
  }
  return shared;
}

/** In [-1, 1): for a place of the shared section, in this round. */
const drawn = (key: number, place: number): number => fround(bitsAt(key, place) / 2 ** 31);

class PowerSgd implements Codec {
  readonly id = ID;
  readonly block: number;
  readonly length: number;
  readonly feedback: number;
  readonly sums = SUMS;
  readonly bodyBytesMax: number;
  readonly #layout: Layout;
  readonly #rank: number;
  readonly #even: boolean;
  readonly #key: number;
  /** As it was when the round began. */
  readonly #shared: Float32Array;
  readonly #state: Float32Array;
  readonly #body: Codec;

  /** @param shared section "codec" of the shared state before the round; `advance` changes it in place */
  constructor(
    table: ParameterTable,
    { rank, feedback }: PowerSgdOptions,
    { round, key, shared }: { readonly round: number; readonly key: number; readonly shared: Float32Array },
  ) {
    this.block = rank;
    this.length = table.length;
    this.feedback = feedback;
    this.#rank = rank;
    this.#even = round % 2 === 0;
    this.#layout = layoutOf(table, rank, this.#even);
    this.#key = key;
    assert(shared.length === this.#layout.sharedFloats, "the shared section is this model's");
    this.#state = shared;
    this.#shared = shared.slice();
    this.#body = raw(this.#layout.bodyFloats, "f32");
    this.bodyBytesMax = this.#body.bodyBytesMax;
  }

  encode(values: Float32Array): Uint8Array {
    assert(values.length === this.length, "one value per parameter");
    refuseBeyond(NORM_MAX / 2, values);
    const vector = new Float32Array(this.#layout.bodyFloats);
    for (const part of this.#layout.parts) {
      const { offset, length } = part.tensor;
      const own = values.subarray(offset, offset + length);
      vector.set(part.matrix ? this.#projected(own, part.matrix) : own, part.at);
    }
    return this.#body.encode(vector);
  }

  read(body: Uint8Array): Decoded | string {
    const vector = this.#body.read(body);
    if (typeof vector === "string") return vector;
    const norm = vector.norm();
    if (norm >= NORM_MAX) return `a norm of ${norm}`;
    const floats = new Float32Array(this.#layout.bodyFloats);
    vector.addTo(floats, 1, 0, floats.length);
    const parts = this.#layout.parts.map((part): DecodedPart => {
      const { tensor, at, matrix } = part;
      if (!matrix) return { tensor, values: floats.subarray(at, at + tensor.length) };
      const { rows, columns } = matrix;
      const sent = floats.subarray(at, at + this.#rank * (this.#even ? columns : rows));
      const own = this.#own(matrix);
      return { tensor, columns, rows, P: this.#even ? own : sent, Q: this.#even ? sent : own };
    });
    return new Factors(parts, this.length, norm);
  }

  /** The next round's directions, from the mean of what was decoded. */
  advance(mean: Float32Array): void {
    for (const { tensor, matrix } of this.#layout.parts) {
      if (!matrix) continue;
      const { offset, length } = tensor;
      const [place, rows] = this.#even ? [matrix.Q, matrix.columns] : [matrix.P, matrix.rows];
      const next = this.#projected(mean.subarray(offset, offset + length), matrix);
      orthonormalize(next, rows, (index) => drawn(this.#key, place + index));
      this.#state.set(next, place);
    }
  }

  /** The factor that this round projects on: P in an even one, Q in an odd one. */
  #own({ P, Q, rows, columns }: NonNullable<Part["matrix"]>): Float32Array {
    return this.#even
      ? this.#shared.subarray(P, P + this.#rank * rows)
      : this.#shared.subarray(Q, Q + this.#rank * columns);
  }

  /** Mᵀ P or M Q, one column after the other; summed over rows or columns of M in order, each operation rounded. */
  #projected(M: Float32Array, matrix: NonNullable<Part["matrix"]>): Float32Array {
    const { rows, columns } = matrix;
    const own = this.#own(matrix);
    const height = this.#even ? columns : rows;
    const result = new Float32Array(this.#rank * height);
    for (let k = 0; k < this.#rank; k++) {
      const out = result.subarray(k * height, (k + 1) * height);
      if (this.#even)
        for (let i = 0; i < rows; i++) {
          const p = own[k * rows + i];
          for (let j = 0; j < columns; j++) out[j] = fround(out[j] + fround(M[i * columns + j] * p));
        }
      else
        for (let i = 0; i < rows; i++) {
          let sum = 0;
          for (let j = 0; j < columns; j++) sum = fround(sum + fround(M[i * columns + j] * own[k * columns + j]));
          out[i] = sum;
        }
    }
    return result;
  }
}

type DecodedPart = { readonly tensor: TensorPlace } & (
  | { readonly values: Float32Array }
  | { readonly rows: number; readonly columns: number; readonly P: Float32Array; readonly Q: Float32Array }
);

class Factors implements Decoded {
  readonly #parts: readonly DecodedPart[];
  readonly #length: number;
  readonly #norm: number;

  constructor(parts: readonly DecodedPart[], length: number, norm: number) {
    this.#parts = parts;
    this.#length = length;
    this.#norm = norm;
  }

  /** That of what was sent: orthonormal columns keep lengths. */
  norm(): number {
    return this.#norm;
  }

  addTo(accumulator: Float32Array, weight: number, start: number, end: number): void {
    assert(start >= 0 && end <= this.#length && accumulator.length >= end - start, "the range lies in both");
    const w = fround(weight);
    for (const part of this.#parts) {
      const { offset, length } = part.tensor;
      const [from, to] = [Math.max(start, offset), Math.min(end, offset + length)];
      if (from >= to) continue;
      const target = accumulator.subarray(from - start, to - start);
      if ("values" in part)
        for (let i = 0; i < target.length; i++)
          target[i] = fround(target[i] + fround(w * part.values[from - offset + i]));
      else addProduct(target, w, part, from - offset);
    }
  }
}

/** target[n] += weight · (P Qᵀ) at place start + n. */
function addProduct(
  target: Float32Array,
  weight: number,
  { rows, columns, P, Q }: Extract<DecodedPart, { P: Float32Array }>,
  start: number,
): void {
  const row = new Float32Array(columns);
  const end = start + target.length;
  for (let i = Math.floor(start / columns); i * columns < end; i++) {
    row.fill(0);
    for (let k = 0; k * rows < P.length; k++) {
      const p = P[k * rows + i];
      for (let j = 0; j < columns; j++) row[j] = fround(row[j] + fround(p * Q[k * columns + j]));
    }
    for (let place = Math.max(start, i * columns); place < Math.min(end, (i + 1) * columns); place++)
      target[place - start] = fround(target[place - start] + fround(weight * row[place - i * columns]));
  }
}
