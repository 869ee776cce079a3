// Whether this tab donated when its page ended without a word: reloaded, or thrown out by the browser to spare memory.
import type { Earlier } from "../page-state.ts";
import type { DonorSnapshot } from "./types.ts";

/** sessionStorage: a reload and a discarded tab keep it, a new tab has none. */
const KEY = "gossamer-donating";

/** Read once, when the page begins. */
export function earlierDonation(): Earlier {
  const { wasDiscarded = false } = document as { wasDiscarded?: boolean };
  try {
    if (sessionStorage.getItem(KEY) === null) return null;
    sessionStorage.removeItem(KEY);
  } catch {
    return null; // storage refused
  }
  return wasDiscarded ? "discarded" : "interrupted";
}

export function rememberDonation({ status }: DonorSnapshot): void {
  const donates = status === "starting" || status === "donating" || status === "paused";
  try {
    if (donates) sessionStorage.setItem(KEY, "1");
    else sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
}
