// What several seeds say about a difference: its mean, and the interval that holds the true one in 95 of 100 such comparisons.

/** Student's t at 0.975 for 1, 2, … degrees of freedom (any table of it); beyond them the last is 1 % too wide at most. */
// biome-ignore format: a table
const T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101, 2.093,
  2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042, 2.04, 2.037, 2.035, 2.032, 2.03, 2.028, 2.026, 2.024, 2.023, 2.021];

export interface Estimate {
  readonly mean: number;
  /** Half of the 95 % confidence interval; undefined with fewer than two values. */
  readonly margin: number | undefined;
}

/** Of differences that were measured in pairs (the same seed, data and churn on both sides), or of anything else that varies with the seed. */
export function estimate(values: readonly number[]): Estimate {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, margin: undefined };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const t = T_975[Math.min(n - 1, T_975.length) - 1];
  return { mean, margin: t * Math.sqrt(variance / n) };
}
