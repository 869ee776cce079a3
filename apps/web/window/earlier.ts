// Whether this tab donated when its page ended without a word: reloaded, or thrown out by the browser to spare memory. A press of Pause outlives both.
import type { Earlier } from "../page-state.ts";
import type { DonorSnapshot } from "./types.ts";

/** sessionStorage: a reload and a discarded tab keep it, a new tab has none. */
const KEY = "gossamer-donating";
const PAUSED = "paused";

/** Read once, when the page begins. */
export function earlierDonation(): Earlier {
  const { wasDiscarded = false } = document as { wasDiscarded?: boolean };
  try {
    const kept = sessionStorage.getItem(KEY);
    if (kept === null) return null;
    sessionStorage.removeItem(KEY);
    if (kept === PAUSED) return "paused";
  } catch {
    return null; // storage refused
  }
  return wasDiscarded ? "discarded" : "interrupted";
}

export function rememberDonation({ status, pausedBecause }: DonorSnapshot): void {
  const donates = status === "starting" || status === "donating" || status === "paused";
  try {
    const byHand = pausedBecause.some(({ code }) => code === "by-hand");
    if (donates) sessionStorage.setItem(KEY, byHand ? PAUSED : "1");
    else sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
}
