// What donating costs, from the spec: bytes per round are known, rounds per hour are measured on this run or not claimed at all.
//
//   sent per round     = the update once to the host, and as much to peers as comes from them (each peer fetches n - 1 updates and
//                        serves, on average, n - 1)
//   received per round = n - 1 updates of the other contributors; in pairs one, the partner's
import type { RunSpec } from "#wire";
import type { RunSizes, SeriesPoint } from "../window/types.ts";

export interface DonationCost {
  readonly parameters: number;
  readonly updateBytes: number;
  readonly sentPerRound: number;
  readonly receivedPerRound: number;
  /** null until this run has shown how long a round takes. */
  readonly perHour: { readonly sent: number; readonly received: number; readonly roundMs: number } | null;
  /** Training text and two f32 vectors (parameters, velocity), once and kept in the browser's storage. */
  readonly onceBytes: number;
}

export function donationCost(
  spec: RunSpec,
  { parameters, shared, updateBytes }: RunSizes,
  othersHere: number,
  roundMs: number | null,
): DonationCost {
  const othersMax = spec.rounds.topology === "pairs" ? 1 : spec.rounds.maxContributors - 1;
  const others = Math.min(Math.max(0, othersHere), othersMax);
  const sentPerRound = updateBytes * (1 + others);
  const receivedPerRound = updateBytes * others;
  const roundsPerHour = roundMs === null ? null : 3_600_000 / roundMs;
  return {
    parameters,
    updateBytes,
    sentPerRound,
    receivedPerRound,
    perHour:
      roundMs === null || roundsPerHour === null
        ? null
        : { sent: sentPerRound * roundsPerHour, received: receivedPerRound * roundsPerHour, roundMs },
    onceBytes:
      bytesOf(spec.data.train.slice(0, 2 * (spec.data.mixedShards ?? Number.POSITIVE_INFINITY))) +
      bytesOf(spec.base?.blobs ?? []) +
      2 * 4 * shared,
  };
}

const bytesOf = (blobs: readonly { readonly bytes: number }[]): number =>
  blobs.reduce((sum, { bytes }) => sum + bytes, 0);

/** Median time of a round over the newest points: a night at rest is one outlier, not the answer. null below two rounds. */
export function roundMsOf(points: readonly SeriesPoint[]): number | null {
  const recent = points.slice(-21);
  const perRound = recent
    .slice(1)
    .map((point, i) => (point.time - recent[i].time) / Math.max(1, point.round - recent[i].round))
    .filter((ms) => ms > 0)
    .sort((a, b) => a - b);
  return perRound.length === 0 ? null : perRound[Math.floor(perRound.length / 2)];
}
