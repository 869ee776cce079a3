// Which requests of the page the service worker answers, and how. All others go as if there were none.
//
//   "page"     network first: a host that answers gives its own page, whatever was kept; the kept one opens where none answers
//   "asset"    kept first: the name holds a hash of the content, so what is kept is never old
//   "fixed"    network first too: under that name the next build has another content

/** What the build says of itself: vite.config.ts lays it before the worker's code. */
export interface Built {
  /** The cache's name: that of the build. */
  readonly cache: string;
  /** What the page needs to open: fetched when the worker is installed. */
  readonly shell: readonly string[];
  /** Everything else of this build under a hashed name: kept once it was asked for. So the cache has an end. */
  readonly assets: readonly string[];
}

export type Way = "page" | "asset" | "fixed";

/** @returns undefined: it is none of the worker's */
export function wayOf(
  { method, mode, url }: Pick<Request, "method" | "mode" | "url">,
  scope: string,
  { shell, assets }: Built,
): Way | undefined {
  if (method !== "GET" || !url.startsWith(scope)) return undefined;
  const path = new URL(url).pathname.slice(new URL(scope).pathname.length - 1);
  if (mode === "navigate") return path === "/" || /^\/watch\/?$/.test(path) ? "page" : undefined;
  if (!shell.includes(path) && !assets.includes(path)) return undefined;
  return path.startsWith("/assets/") ? "asset" : "fixed";
}

/** A gateway says it for a host that is away. */
export const isAway = (status: number): boolean => status === 502 || status === 503 || status === 504;
