// Where adapters lie in the engine's own flat vectors: one pair (A, B) beside each of its matrices, which may be several of the model's side by side.
//
//   qkv:  A (R, C) = A of q over A of k over A of v       B (C+2KV, R) = | Bq       |
//                                                                        |    Bk    |     R: the ranks of what is adapted, each padded to 4
//                                                                        |       Bv |     what is blank here stays zero
//
//   base  the weights that stay, of the adapted rows alone: W = base + s B A is written over them in "parameters"
import { adaptersOf, loraScale } from "#outer";
import type { LoraShape, LoraTarget, ModelShape } from "#wire";
import { alignFloats } from "../device/plan.ts";
import type { FlatLayout, Layout, Place, Range } from "./layout.ts";

/** The engine's matrices of a layer, and which of the model's they are made of, in order of rows. */
export const MADE_OF = {
  qkv: ["q", "k", "v"],
  o: ["o"],
  gateUp: ["gate", "up"],
  down: ["down"],
} as const satisfies Record<string, readonly LoraTarget[]>;
export type Matrix = keyof typeof MADE_OF;

/** One of the model's layers within such a matrix. */
interface AdaptedPart {
  readonly firstRow: number;
  readonly rows: number;
  /** Columns of B, rows of A, that are its own: [from, from + columns). */
  readonly from: number;
  readonly columns: number;
  /** Its weights in "base". */
  readonly base: Range;
  /** And in the swarm's vector of the whole model. */
  readonly weightOffset: number;
}

export interface MatrixAdapter {
  readonly weight: Range; // in the model's layout
  readonly out: number;
  readonly in: number;
  readonly rank: number; //  R
  readonly a: Range;
  readonly b: Range;
  readonly parts: readonly AdaptedPart[];
}

export interface AdapterLayout extends FlatLayout {
  readonly layers: readonly Readonly<Partial<Record<Matrix, MatrixAdapter>>>[];
  readonly baseLength: number;
  readonly rankMax: number; // the largest R
  readonly scale: number;
}

/** A row of vec4 in every product that has the rank as an extent. */
const PAD = 4;

export function adapterLayoutOf(model: ModelShape, layout: Layout, lora: LoraShape): AdapterLayout {
  const adapters = adaptersOf(model, lora);
  const padded = Math.ceil(lora.rank / PAD) * PAD;
  const places: Place[] = [];
  const ends = { own: 0, base: 0 };
  const take = (vector: keyof typeof ends, floats: number): Range => {
    const range = { offset: ends[vector], length: floats };
    ends[vector] += 2 * alignFloats(floats / 2);
    return range;
  };
  const matrixOf = (matrix: Matrix, l: number): MatrixAdapter | undefined => {
    const weight = layout.layers[l][matrix];
    const of = (target: LoraTarget) => adapters.find((adapter) => adapter.layer === l && adapter.target === target);
    const own = MADE_OF[matrix].map(of).filter((adapter) => adapter !== undefined);
    if (own.length === 0) return undefined;
    const { in: into } = own[0];
    const [out, rank] = [weight.length / into, own.length * padded];
    const [a, b] = [take("own", rank * into), take("own", out * rank)];
    const parts = own.map(({ aOffset, bOffset, out: rows, weightOffset }, i): AdaptedPart => {
      const firstRow = (toOf(layout, weightOffset) - weight.offset) / into;
      const from = i * padded;
      places.push({ from: aOffset, to: a.offset + from * into, length: lora.rank * into });
      const to = b.offset + firstRow * rank + from;
      places.push({ from: bOffset, to, length: lora.rank, rows, stride: rank });
      return { firstRow, rows, from, columns: padded, base: take("base", rows * into), weightOffset };
    });
    return { weight, out, in: into, rank, a, b, parts };
  };
  const layers = layout.layers.map((_, l) => {
    const entries = (Object.keys(MADE_OF) as Matrix[]).map((matrix) => [matrix, matrixOf(matrix, l)] as const);
    return Object.fromEntries(entries.filter(([, adapter]) => adapter)) as Partial<Record<Matrix, MatrixAdapter>>;
  });
  const ranks = layers.flatMap((layer) => Object.values(layer).map(({ rank }) => rank));
  const parameters = places.reduce((sum, { length, rows = 1 }) => sum + length * rows, 0);
  const length = ends.own;
  return {
    ...{ layers, places, parameters, length, matrices: length, baseLength: ends.base },
    ...{ rankMax: Math.max(...ranks), scale: loraScale(lora) },
  };
}

/** Where the engine has what begins there in the swarm's vector. */
export function toOf({ places }: Layout, from: number): number {
  const place = places.find((each) => each.from === from);
  if (!place) throw new Error(`the engine has no place for the weight at ${from}`);
  return place.to;
}

/** Where parts of the swarm's vector of the whole model go: all of it as weights, what is adapted as base too. */
export function* baseParts(layout: Layout, { layers }: AdapterLayout): Generator<Place & { readonly buffer: string }> {
  for (const place of layout.places) yield { ...place, buffer: "parameters" };
  for (const { parts } of layers.flatMap((layer) => Object.values(layer)))
    for (const { weightOffset, base } of parts)
      yield { from: weightOffset, to: base.offset, length: base.length, buffer: "base" };
}
