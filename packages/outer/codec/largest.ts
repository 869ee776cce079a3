// Which of some values are the k largest, without sorting all of them.

/** The histogram's bins: sign cleared, 8 bits of exponent and 3 of mantissa. */
const BIN_SHIFT = 20;
const BINS = 1 << 11;

/**
 * The k-th largest magnitude, as bits: with all that are larger, the first `ties` equal ones make k. By a histogram of the leading bits, then by
 * sorting the one bin that decides. Or the index of a value that is not finite.
 */
export function thresholdOf(bits: Uint32Array, k: number): { threshold: number; ties: number } | { bad: number } {
  const histogram = new Uint32Array(BINS);
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i] & 0x7fff_ffff;
    if (magnitude >= 0x7f80_0000) return { bad: i };
    histogram[magnitude >>> BIN_SHIFT]++;
  }
  if (k >= bits.length) return { threshold: 0, ties: 0 };
  let above = 0;
  let bin = BINS - 1;
  while (above + histogram[bin] < k) above += histogram[bin--];
  const deciding = new Uint32Array(histogram[bin]);
  let n = 0;
  for (const pattern of bits) {
    const magnitude = pattern & 0x7fff_ffff;
    if (magnitude >>> BIN_SHIFT === bin) deciding[n++] = magnitude;
  }
  deciding.sort();
  const threshold = deciding[deciding.length - (k - above)];
  const larger = deciding.length - 1 - deciding.lastIndexOf(threshold);
  return { threshold, ties: k - above - larger };
}
