// Whether this tab donated when its page ended without a word: reloaded, thrown out by the browser to spare memory, or replaced together with
// its host. A press of Pause outlives all of them.
import type { Earlier } from "../page-state.ts";
import type { DonorSnapshot } from "./types.ts";

/** sessionStorage: a reload and a discarded tab keep it, a new tab has none. */
const KEY = "gossamer-donating";
const PAUSED = "paused";
const REPLACED = "replaced";

/** The host was replaced by one that speaks no version of the protocol that this page does: only its own page can go on. */
export const isOutdated = ({ status, problem }: Pick<DonorSnapshot, "status" | "problem">): boolean =>
  status === "blocked" && problem?.code === "refused" && problem.told?.given[0] === "version";

/** Read once, when the page begins. */
export function earlierDonation(): Earlier {
  const { wasDiscarded = false } = document as { wasDiscarded?: boolean };
  try {
    const kept = sessionStorage.getItem(KEY);
    if (kept === null) return null;
    sessionStorage.removeItem(KEY);
    if (kept === PAUSED || kept === REPLACED) return kept;
  } catch {
    return null; // storage refused
  }
  return wasDiscarded ? "discarded" : "interrupted";
}

export function rememberDonation(donor: DonorSnapshot): void {
  const { status, pausedBecause } = donor;
  const donates = status === "starting" || status === "donating" || status === "paused";
  try {
    const byHand = pausedBecause.some(({ code }) => code === "by-hand");
    if (isOutdated(donor)) sessionStorage.setItem(KEY, REPLACED);
    else if (donates) sessionStorage.setItem(KEY, byHand ? PAUSED : "1");
    else sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
}
