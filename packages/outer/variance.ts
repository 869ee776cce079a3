// Variance-corrected averaging (Tian et al., 2024, arXiv:2404.04616): the mean of N models that have nothing in common has 1/N of their variance, layer by layer, and
// learns nothing for a while. Matrix by matrix, of what a peer averages:
//
//   w = mean(w) + (w − mean(w)) · √(s² / Var(w))        w: the mean of the models; s²: the mean of their variances, over a matrix's elements
//
// Models that were trained from one start have nearly all of theirs, and are left alone. So are vectors, and the tables of tokens, most of whose rows few peers touch.
import { assert } from "./assert.ts";
import type { ParameterTable, TensorPlace } from "./parameters.ts";

/** A mean with more of its models' variance than this is of models that agree: what is missing is noise, which is better gone. */
const KEPT_MAX = 0.8;

const isTable = ({ name }: TensorPlace): boolean => name.includes("embed") || name.startsWith("lm_head");

/** @param mean of these models; in place. Each peer's own affair, so nothing here is canonical. */
export function correctVariance(mean: Float32Array, models: readonly Float32Array[], table: ParameterTable): void {
  assert(models.length > 0 && mean.length === table.length, "a mean of whole models");
  for (const tensor of table.tensors) {
    if (tensor.shape.length < 2 || isTable(tensor)) continue;
    const end = tensor.offset + tensor.length;
    const part = mean.subarray(tensor.offset, end);
    const own = momentsOf(part);
    const wished =
      models.reduce((sum, model) => sum + momentsOf(model.subarray(tensor.offset, end)).variance, 0) / models.length;
    const scale = Math.sqrt(wished / own.variance);
    if (own.variance > KEPT_MAX * wished || !Number.isFinite(scale)) continue;
    for (let i = 0; i < part.length; i++) part[i] = own.mean + (part[i] - own.mean) * scale;
  }
}

function momentsOf(values: Float32Array): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / values.length };
}
