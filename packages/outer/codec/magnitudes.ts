// Two bits for a value: its sign, and which of two magnitudes it is nearer to. Lloyd's algorithm chooses them, for each sign.

/** Lloyd's iterations from the mean magnitude: the fifth moves nothing by a thousandth. */
const LLOYD_STEPS = 4;

/** Two magnitudes for each sign: [-large, -small, small, large], each the mean of what it stands for. */
export function signedMagnitudes(values: Float32Array): {
  readonly codebook: Float32Array;
  readonly codeOf: (value: number) => number;
} {
  const negative = magnitudesOf(values, -1);
  const positive = magnitudesOf(values, 1);
  return {
    codebook: Float32Array.of(-negative.large, -negative.small, positive.small, positive.large),
    codeOf: (value) => (value < 0 ? (-value > negative.split ? 0 : 1) : value > positive.split ? 3 : 2),
  };
}

function magnitudesOf(values: Float32Array, sign: 1 | -1): { small: number; large: number; split: number } {
  let split = 0;
  let [small, large] = [0, 0];
  for (let step = 0; step <= LLOYD_STEPS; step++) {
    let [below, belowSum, over, overSum] = [0, 0, 0, 0];
    for (const signed of values) {
      const value = sign * signed;
      if (!(value > 0)) continue;
      if (value > split) {
        over++;
        overSum += value;
      } else {
        below++;
        belowSum += value;
      }
    }
    if (over > 0) large = overSum / over;
    small = below > 0 ? belowSum / below : large;
    const next = step === 0 ? large : (small + large) / 2; // all are over 0: the first split is their mean
    if (step === LLOYD_STEPS) break; // levels and split must belong together
    split = next;
  }
  return { small, large, split };
}
