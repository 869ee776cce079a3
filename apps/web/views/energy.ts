// What training took of the mains, as honestly as a page can say it: browsers tell no watts. So the time that the device computed is
// measured, and its power reckoned as a range for its kind.
import type { AdapterDescription } from "#engine";

export interface Energy {
  readonly wattsMin: number;
  readonly wattsMax: number;
  readonly kWhMin: number;
  readonly kWhMax: number;
}

/**
 * Rough bounds of what training adds to an idle machine, in watts: from the sparest to the thirstiest device that a driver of this vendor may
 * stand for, a laptop's integrated graphics to a desktop's largest board. Measured by nobody here; so the page shows the range, and says so.
 */
const WATTS: readonly (readonly [RegExp, number, number])[] = [
  [/nvidia/, 30, 450],
  [/amd|ati\b/, 10, 350],
  [/intel/, 5, 190],
  [/apple/, 5, 100],
  [/arm|qualcomm|imagination|img|mali|adreno|samsung/, 1, 8],
];
/** The processor, or one that poses as a GPU: a phone's cores to a desktop's. */
const PROCESSOR = [4, 150] as const;
const ANY = [5, 450] as const;

export function energyOf(adapter: AdapterDescription, trainedMs: number): Energy {
  const name = `${adapter.vendor} ${adapter.description}`.toLowerCase();
  const known = WATTS.find(([vendor]) => vendor.test(name));
  const processor = adapter.backend === "wasm" || adapter.isFallback;
  const [wattsMin, wattsMax] = processor ? PROCESSOR : known ? [known[1], known[2]] : ANY;
  const kiloHours = trainedMs / 3_600_000 / 1_000;
  return { wattsMin, wattsMax, kWhMin: wattsMin * kiloHours, kWhMax: wattsMax * kiloHours };
}
