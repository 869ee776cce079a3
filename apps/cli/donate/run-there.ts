// The run behind an address that a person typed or copied: found, and worth joining, or why not.
import type { RunDetail } from "#wire";
import { placeOfAddress, Remote } from "../remote.ts";

export interface RunThere {
  /** Where the host is, without a slash at the end. */
  readonly base: string;
  readonly detail: RunDetail;
  /** Of an invitation link; null: none. */
  readonly invite: string | null;
}

/**
 * @param text as in a browser's address bar: of the donate page, of the watch page, with ?run= or without
 * @throws RemoteError
 */
export async function findRun(text: string, ask: typeof fetch = fetch): Promise<RunThere> {
  const { base, run, invite } = placeOfAddress(text);
  return { base, invite, detail: await new Remote(base, ask).detail(run ?? "default") };
}
