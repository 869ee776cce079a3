// A model's layers cut among the stages of a pipeline. A tied embedding is at the first stage and, as the head, at the last one.
import { parameterTable, type RankShape } from "#outer";
import type { ModelShape } from "#wire";
import type { PipelinePlan } from "#wire/islands";

/** @throws RangeError for layers that are not all of the model's, in stages of one at least, and for a ladder residual */
export function stageShape(model: ModelShape, { layers }: PipelinePlan, rank: number): RankShape {
  if (model.residual)
    throw new RangeError(
      `a stage hands on one residual stream, and with residual "${model.residual}" what the last block gave is not in it yet: cut the matrices instead (a tensor plan)`,
    );
  const all = layers.reduce((sum, count) => sum + count, 0);
  if (all !== model.layers || layers.some((count) => !Number.isInteger(count) || count < 1))
    throw new RangeError(
      `stages of ${layers.join(" + ")} layers are not the model's ${model.layers}: each has one at least`,
    );
  return stageOf(model, { layers: layers[rank], rank, ranks: layers.length });
}

/** A stage of so many layers, wherever they lie. */
export interface StagePlace {
  readonly layers: number;
  readonly rank: number;
  readonly ranks: number;
}

export const stageOf = (model: ModelShape, { layers, rank, ranks }: StagePlace): RankShape => ({
  ...model,
  layers,
  stage: { first: rank === 0, last: rank === ranks - 1 },
});

/** Each tensor of a stage: where it lies in the model's vector, and in the stage's. */
function* tensorsOf(model: ModelShape, plan: PipelinePlan, rank: number) {
  const placeByName = new Map(parameterTable(model).tensors.map((tensor) => [tensor.name, tensor]));
  const first = plan.layers.slice(0, rank).reduce((sum, count) => sum + count, 0);
  for (const { name, offset, length } of parameterTable(stageShape(model, plan, rank)).tensors) {
    const whole = placeByName.get(name.replace(/layers\.(\d+)/, (_, l: string) => `layers.${Number(l) + first}`));
    if (!whole) throw new Error(`the model has no "${name}" of stage ${rank}`);
    yield { whole: whole.offset, part: offset, length };
  }
}

/** What a stage has of the model's flat vector, flat in the order of its own parameterTable(). @throws RangeError on a wrong length */
export function stagePart(
  model: ModelShape,
  plan: PipelinePlan,
  rank: number,
  flat: Float32Array,
): Float32Array<ArrayBuffer> {
  const { length } = parameterTable(model);
  if (flat.length !== length) throw new RangeError(`the model has ${length} parameters, got ${flat.length}`);
  const part = new Float32Array(parameterTable(stageShape(model, plan, rank)).length);
  for (const place of tensorsOf(model, plan, rank))
    part.set(flat.subarray(place.whole, place.whole + place.length), place.part);
  return part;
}

/** The model's vector from its stages', by rank; a tied embedding is the first one's. */
export function joinStages(
  model: ModelShape,
  plan: PipelinePlan,
  parts: readonly Float32Array[],
): Float32Array<ArrayBuffer> {
  const flat = new Float32Array(parameterTable(model).length);
  for (const [rank, part] of [...parts.entries()].reverse())
    for (const { whole, part: from, length } of tensorsOf(model, plan, rank))
      flat.set(part.subarray(from, from + length), whole);
  return flat;
}
