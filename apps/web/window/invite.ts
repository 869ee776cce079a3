// The code of an invitation link: taken out of the address bar when the page begins, and kept for this tab until it donates.
import { inviteOf } from "../views/places.ts";

/** sessionStorage: a reload keeps it. Once the host has let this key in, it needs none. */
const KEY = "gossamer-invite";
let kept: string | null = null;

/** Once, before anything is asked for: what a page was opened with goes nowhere else, in no link and no history. */
export function takeInvite(): void {
  const { invite, without } = inviteOf(new URL(location.href));
  if (invite === null) return;
  kept = invite;
  history.replaceState(null, "", without);
  try {
    sessionStorage.setItem(KEY, invite);
  } catch {
    // storage refused: it holds until a reload
  }
}

export function rememberedInvite(): string | null {
  try {
    return kept ?? sessionStorage.getItem(KEY);
  } catch {
    return kept;
  }
}
