// Addresses of the two pages: / donates, /watch watches; ?run= names a run when it is not the host's own.
import type { Place } from "../page-state.ts";

const query = (runName: string): string => (runName === "default" ? "" : `?run=${encodeURIComponent(runName)}`);

export const donateHref = (runName: string): string => `/${query(runName)}`;
export const watchHref = (runName: string): string => `/watch${query(runName)}`;

export function placeOf(url: URL): { place: Place; runName: string } {
  return {
    place: /^\/watch\/?$/.test(url.pathname) ? "watch" : "donate",
    runName: url.searchParams.get("run") ?? "default",
  };
}
