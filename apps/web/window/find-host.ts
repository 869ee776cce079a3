// Where the run's host is. A page is served by it, unless the page was built for another one (GOSSAMER_SIGNAL): that one either has a
// run, or (`--only signaling`) passes signals for the run of the host that serves the page.
import { hostBaseOf } from "../views/places.ts";

export interface HostPlaces {
  /** The host that has the run, without a slash at the end: http(s)://... */
  readonly base: string;
  /** ws(s)://.../signal of a host that only passes signals; null: the run's host does. */
  readonly room: string | null;
}

export async function findHost(
  signal: string | undefined = import.meta.env.GOSSAMER_SIGNAL,
  own: string = hostBaseOf(location),
  ask: typeof fetch = fetch,
): Promise<HostPlaces> {
  if (!signal) return { base: own, room: null };
  const there = signal.replace(/^ws/, "http").replace(/\/signal$/, "");
  if (await hasRuns(there, ask)) return { base: there, room: null };
  if (await hasRuns(own, ask)) return { base: own, room: signal };
  return { base: there, room: null }; // neither answers now: the one that the page was built for will
}

async function hasRuns(base: string, ask: typeof fetch): Promise<boolean> {
  try {
    const response = await ask(`${base}/api/runs`);
    return response.ok && Array.isArray(await response.json());
  } catch {
    return false;
  }
}
