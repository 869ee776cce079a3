// Who a request comes from and under which name, also when proxies of the operator's stand between (--trust-proxy).
//
//   socket's address, X-Forwarded-For, -Proto, -Host -> arrive() at the edge (server.ts) -> addressOf(request), headers.host
//
// Forwarded headers count only where the socket's own address is trusted; anybody may send them. From the right, the first address
// that is not trusted is the client's (proxy-addr, as Express has it).
import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import proxyAddr from "proxy-addr";

export type Trust = (address: string, hops: number) => boolean;

/**
 * @param proxies addresses, networks (10.0.0.0/8), or loopback, linklocal, uniquelocal
 * @throws TypeError: one of them is no address
 */
export const trustIn = (proxies: readonly string[]): Trust =>
  proxies.length === 0 ? () => false : proxyAddr.compile([...proxies]);

/** What is wrong with it, for the operator; undefined: nothing. */
export function proxyFault(proxy: string): string | undefined {
  try {
    trustIn([proxy]);
    return undefined;
  } catch {
    return `"${proxy}" is no address. Name the proxy's: 127.0.0.1, a network (10.0.0.0/8), or loopback, linklocal, uniquelocal.`;
  }
}

interface Arrival {
  readonly address: string;
  /** Whether the client's own line is encrypted; undefined: no proxy has said. */
  readonly secure: boolean | undefined;
}

const arrivals = new WeakMap<IncomingMessage, Arrival>();

/** ::ffff:192.0.2.1 is 192.0.2.1. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");

const firstOf = (header: string | string[] | undefined): string | undefined =>
  String(header ?? "")
    .split(",")[0]
    .trim() || undefined;

/** Once per request, before anything asks for it: from here on its Host header is the one that the client sent. */
export function arrive(request: IncomingMessage, trust: Trust): void {
  const own = request.socket.remoteAddress;
  if (own === undefined) return; // gone already
  if (!trust(own, 0)) return void arrivals.set(request, { address: plain(own), secure: undefined });
  const { headers } = request;
  const proto = firstOf(headers["x-forwarded-proto"])?.toLowerCase();
  const secure = proto === undefined ? undefined : proto === "https" || proto === "wss";
  arrivals.set(request, { address: plain(proxyAddr(request, trust)).slice(0, ADDRESS_LENGTH_MAX), secure });
  const host = firstOf(headers["x-forwarded-host"]) ?? headers.host;
  if (host !== undefined) headers.host = withoutDefaultPort(host, secure);
}

/** Of IPv6 with a zone; a trusted proxy writes nothing longer. */
const ADDRESS_LENGTH_MAX = 64;

/** As an Origin header has it: without the port that its scheme implies. */
const withoutDefaultPort = (host: string, secure: boolean | undefined): string =>
  secure === undefined ? host : host.replace(secure ? /:443$/ : /:80$/, "");

/** The client's, as far as the operator trusts who says so. */
export const addressOf = (request: IncomingMessage): string =>
  arrivals.get(request)?.address ?? plain(request.socket.remoteAddress ?? "");

/**
 * What limits count by: an IPv4 address, or the /64 of an IPv6 one, of which a home has all addresses.
 */
export function limitKeyOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head, tail] = address.split("%")[0].toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail ? tail.split(":") : [];
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...new Array<string>(zeros).fill("0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}

// ---- the base path ----------------------------------------------------------------------------------------------------------

/** What is wrong with it, for the operator; undefined: nothing. */
export const basePathFault = (path: string): string | undefined =>
  /^(\/[A-Za-z0-9._~-]+)+\/?$/.test(path) && !/\/\.\.?(\/|$)/.test(path)
    ? undefined
    : `"${path}" is no base path. It begins with a slash and has letters, digits, and . _ ~ - only, for example /swarm.`;

/**
 * The request's own part of its address: "/swarm/watch?x" -> "/watch?x" below "/swarm". Undefined: not below the base path.
 * "/swarm" itself has no slash at its end, so the page's relative names would miss: it is redirected ("redirect").
 */
export function belowBase(url: string, basePath: string): string | "redirect" | undefined {
  if (basePath === "") return url;
  if (!url.startsWith(basePath)) return undefined;
  const rest = url.slice(basePath.length);
  if (rest.startsWith("/")) return rest;
  return rest === "" || rest.startsWith("?") ? "redirect" : undefined;
}
