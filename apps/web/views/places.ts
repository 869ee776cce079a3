// Addresses of the two pages: / donates, /watch watches; ?run= names a run when it is not the host's own, ?backend= what trains.
// Both lie in one folder, which is the origin's root or what the host has as its base path; so links between them are relative.
import type { AdapterDescription } from "#engine";
import { RANKS_MAX } from "#wire/islands";
import type { Place } from "../page-state.ts";

const query = (runName: string): string => (runName === "default" ? "" : `?run=${encodeURIComponent(runName)}`);

export const donateHref = (runName: string): string => `./${query(runName)}`;
/** Where the host is whose page has that address, without a slash at the end: API and sockets lie below it. */
export const hostBaseOf = ({ origin, pathname }: Pick<URL, "origin" | "pathname">): string =>
  origin + pathname.replace(/\/((watch|admin)\/?|index\.html)?$/, "");

/** The same page on the processor, for who has a GPU that cannot. */
export const processorHref = (runName: string): string => {
  const href = donateHref(runName);
  return `${href}${href.includes("?") ? "&" : "?"}backend=wasm`;
};
export const watchHref = (runName: string): string => `./watch${query(runName)}`;

/** The same address, showing a round of the past; null: live. */
export function roundHref(url: URL, round: number | null): string {
  const there = new URL(url);
  if (round === null) there.searchParams.delete("round");
  else there.searchParams.set("round", String(round));
  return `${there.pathname}${there.search}${there.hash}`;
}

/** A round that a link names; null: live. */
export function roundOf(url: URL): number | null {
  const round = Number(url.searchParams.get("round"));
  return Number.isSafeInteger(round) && round > 0 ? round : null;
}

/** As long as a host listens to (packages/wire/messages.ts); a code has 22. */
const INVITE_LENGTH_MAX = 64;

/** The code of an invitation link, and the address without it: it is nobody else's. */
export function inviteOf(url: URL): { invite: string | null; without: string } {
  const there = new URL(url);
  const invite = there.searchParams.get("invite")?.slice(0, INVITE_LENGTH_MAX) || null;
  there.searchParams.delete("invite");
  return { invite, without: `${there.pathname}${there.search}${there.hash}` };
}

/** ?kiosk: for a wall. */
export const isKiosk = (url: URL): boolean => url.searchParams.has("kiosk");

/** "webgpu" or "wasm" is the person's wish; null: whatever is faster here. */
export type BackendWish = AdapterDescription["backend"] | null;

export function backendOf(url: URL): BackendWish {
  const backend = url.searchParams.get("backend");
  return backend === "webgpu" || backend === "wasm" ? backend : null;
}

/** ?island=seek, or among so many at least (?island=4): train with other tabs, also what fits this one alone; null: alone where it fits. */
export function islandOf(url: URL): number | null {
  const wish = url.searchParams.get("island");
  if (wish === "seek") return 2;
  const ranks = Number(wish);
  return Number.isInteger(ranks) && ranks >= 2 && ranks <= RANKS_MAX ? ranks : null;
}

/** exact: its sums are exchanged as they are. pipeline: in as many stages as it has members. */
export type TestPlan = "exact" | "pipeline" | null;

/** In test builds. ?memory=MIB: of the device's memory, so much and no more. ?plan=exact, ?plan=pipeline: of an island, whatever the host says. */
export function testWishOf(url: URL): { readonly memoryBytes: number | null; readonly testPlan: TestPlan } {
  if (!import.meta.env.VITE_TEST_HOOKS) return { memoryBytes: null, testPlan: null };
  const plan = url.searchParams.get("plan");
  const mib = Number(url.searchParams.get("memory"));
  return {
    memoryBytes: mib > 0 ? mib * 2 ** 20 : null,
    testPlan: plan === "exact" || plan === "pipeline" ? plan : null,
  };
}

export function placeOf(url: URL): { place: Place; runName: string } {
  return {
    place: /\/watch\/?$/.test(url.pathname) ? "watch" : "donate",
    runName: url.searchParams.get("run") ?? "default",
  };
}

/** Where the page begins anew once everything is forgotten: it says so, once. */
export const forgottenHref = (runName: string): string => {
  const href = donateHref(runName);
  return `${href}${href.includes("?") ? "&" : "?"}forgotten=1`;
};
export const isForgotten = (url: URL): boolean => url.searchParams.has("forgotten");
