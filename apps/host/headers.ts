// Headers of every answer: isolation for threads in WASM (COOP, COEP), and a content policy that allows what the page does and no more.
import type { IncomingMessage } from "node:http";

const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
} as const;

/**
 * @param host the Host header, checked: some browsers do not count ws: as 'self'
 * @param connect further origins that the page may talk to
 */
function contentPolicy(host: string, connect: readonly string[]): string {
  return [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    `connect-src ${["'self'", `ws://${host}`, `wss://${host}`, ...connect].join(" ")}`,
    "worker-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Host header of a request, lower case, or undefined when it is none: it goes into answers, so it must be clean. */
export function hostHeader(request: IncomingMessage): string | undefined {
  const host = request.headers.host?.toLowerCase();
  return host !== undefined && /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/.test(host) ? host : undefined;
}

/** "example.org:7070" -> "example.org"; "[::1]:7070" -> "[::1]" */
export const hostNameOf = (host: string): string => host.replace(/:\d+$/, "");

export interface OriginPolicy {
  /** Origins beside our own that may use the API's writing parts and signaling. */
  readonly allowed: readonly string[];
  /** Bound to loopback: then only names of loopback are ours, so that no other site's name can be pointed at this host. */
  readonly loopback: boolean;
}

const isLoopbackName = (name: string): boolean =>
  name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);

/** Whether a request may be answered under this Host header. */
export function hostIsOurs(host: string | undefined, policy: OriginPolicy): host is string {
  if (host === undefined) return false;
  if (!policy.loopback || isLoopbackName(hostNameOf(host))) return true;
  return policy.allowed.some((origin) => URL.canParse(origin) && new URL(origin).host === host);
}

/** Whether the page behind a request may open signaling or write. Programs send no Origin; they are not what this protects from. */
export function originIsAllowed(request: IncomingMessage, policy: OriginPolicy): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return true;
  if (policy.allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === hostHeader(request);
}

/** For pages and files. */
export function pageHeaders(host: string, connect: readonly string[]): Record<string, string> {
  return {
    ...ISOLATION,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": contentPolicy(host, connect),
  };
}

/** For the API: readable by pages of allowed origins. */
export function apiHeaders(request: IncomingMessage, policy: OriginPolicy): Record<string, string> {
  const { origin } = request.headers;
  if (origin === undefined || !policy.allowed.includes(origin))
    return { ...ISOLATION, "Cross-Origin-Resource-Policy": "same-origin", Vary: "Origin" };
  return {
    ...ISOLATION,
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Range",
    "Access-Control-Allow-Methods": "GET, HEAD, PUT, OPTIONS",
    "Access-Control-Expose-Headers": "Content-Range, Accept-Ranges",
    Vary: "Origin",
  };
}
