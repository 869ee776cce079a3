// The listening socket: page, API and signaling on one port, behind the same checks of names, origins and sizes.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer, Server as SecureServer } from "node:https";
import { type AddressInfo, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { ROSTER_MAX } from "#wire";
import { ApiError, answerError } from "./answer.ts";
import { addressOf, arrive, belowBase, limitKeyOf, type Trust, trustIn } from "./arrival.ts";
import type { Certificate } from "./certificate.ts";
import {
  apiHeaders,
  hostHeader,
  hostIsOurs,
  hostNameOf,
  type OriginPolicy,
  originIsAllowed,
  pageHeaders,
} from "./headers.ts";
import { PageFiles } from "./page-files.ts";
import { portTakenMessage } from "./port-owner.ts";
import { type RateLimit, TokenBuckets } from "./rate.ts";
import type { Report } from "./report.ts";

/** All of the process: a socket of each peer whom a roster may name, and what their pages and the watchers ask for. */
const CONNECTIONS_MAX = 2 * ROSTER_MAX;

/**
 * Of one address. A class of 200 opens the page at once: 25 files each, then log, checkpoint and shards, some dozens more. Where no link
 * opens, each fetches 32 updates a round through the host, which in rounds of 20 s are 320 requests a second.
 */
const requests: RateLimit = { perSecond: 400, burst: 15_000 };
/** Addresses whose requests are counted; what floods from more of them meets the limit of connections. */
const ADDRESSES_MAX = 65_536;
/** A class of 200 whose browsers open six lines each, with their sockets. */
const LINES_PER_ADDRESS_MAX = 2_048;

/** A mistake of the operator's, told without a stack. */
export class StartError extends Error {
  override readonly name = "StartError";
}

export interface ServerOptions {
  readonly host: string;
  readonly port: number; // 0: any free one
  readonly certificate?: Certificate | undefined;
  readonly allowOrigins: readonly string[];
  /** Proxies whose X-Forwarded headers count: addresses and networks. */
  readonly trustProxy?: readonly string[] | undefined;
  /** Everything lies below it: "/swarm", without a slash at the end; "" or undefined: the origin's root. */
  readonly basePath?: string | undefined;
  /** Built page (dist/web); undefined serves none. */
  readonly page?: string | undefined;
  /** Further origins that the page talks to: a signaling host elsewhere. */
  readonly connect: readonly string[];
  /** @returns false when the path is none of its own */
  readonly api: (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<boolean>;
  /** @param refusal why this page may not come in: a browser shows its scripts no HTTP status, so it is told over the socket */
  readonly upgrade: (request: IncomingMessage, stream: Duplex, head: Buffer, refusal?: string) => void;
  /** WS /relay; undefined: this host relays nothing. */
  readonly upgradeRelay?: ((request: IncomingMessage, stream: Duplex, head: Buffer) => void) | undefined;
  /** Requests of one address. */
  readonly requests?: RateLimit | undefined;
  /** An answer went out. */
  readonly answered?: ((status: number) => void) | undefined;
  readonly report: Report;
}

export interface ListeningServer {
  readonly port: number;
  readonly policy: OriginPolicy;
  /** From the next connection on. */
  renewCertificate(certificate: Certificate): void;
  close(): Promise<void>;
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.");

function urlOf(request: IncomingMessage): URL | undefined {
  const path = request.url ?? "/";
  return URL.canParse(path, "http://host") ? new URL(path, "http://host") : undefined;
}

/** The origin is the page's word: told back only when it is one. */
function originRefusal({ headers }: IncomingMessage): string {
  const { origin = "" } = headers;
  const whose = URL.canParse(origin) && new URL(origin).origin === origin ? origin : "that origin";
  return `Pages of ${whose} may not use this host. Its operator allows them with --allow-origin ORIGIN.`;
}

/** @throws StartError when the port is taken or not ours to take */
export async function startServer(options: ServerOptions): Promise<ListeningServer> {
  const policy: OriginPolicy = { allowed: options.allowOrigins, loopback: isLoopback(options.host) };
  const page = options.page === undefined ? undefined : new PageFiles(options.page);
  const trust = trustIn(options.trustProxy ?? []);
  const { basePath = "" } = options;
  const requestsByAddress = new TokenBuckets(options.requests ?? requests, ADDRESSES_MAX);

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    arrive(request, trust);
    if (!requestsByAddress.take(limitKeyOf(addressOf(request)), 1, performance.now()))
      throw new ApiError(
        429,
        "rate",
        "Too many requests from this address in a short time. Try again in a minute.",
        30,
      );
    const below = belowBase(request.url ?? "/", basePath);
    if (below === "redirect") return redirect(response, `${basePath}/${(request.url ?? "").slice(basePath.length)}`);
    if (below === undefined) throw new ApiError(404, "not-found", `This host has its page and API below ${basePath}/.`);
    request.url = below;
    const host = hostHeader(request);
    if (!hostIsOurs(host, policy))
      throw new ApiError(
        421,
        "host",
        "This host listens on loopback and is not known under that name (--allow-origin).",
      );
    const url = urlOf(request);
    if (url === undefined) throw new ApiError(400, "url", "The request's path is none.");
    const isPage = !/^\/(api\/|badge\/|healthz$|readyz$|metrics$)/.test(url.pathname);
    const headers = isPage ? pageHeaders(host, options.connect) : apiHeaders(request, policy);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (request.method === "OPTIONS" && !isPage) return void response.writeHead(204).end();
    if (await options.api(request, response, url)) return;
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new ApiError(405, "method", `${request.method} is not possible here.`);
    // The pages have their own addresses, and their names of files are relative: /watch is the page too, /admin the operator's.
    const place = /^\/(watch|admin)\/$/.exec(url.pathname)?.[1];
    if (place !== undefined) return redirect(response, `../${place}${url.search}`);
    if (url.pathname === "/watch") request.url = `/${url.search}`;
    if (url.pathname === "/admin") request.url = "/admin.html";
    if (await page?.answer(request, response)) return;
    throw new ApiError(404, "not-found", `There is nothing at ${url.pathname}.`);
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (response.socket === null) closeWithLine(request, response);
    if (options.answered) response.once("finish", () => options.answered?.(response.statusCode));
    handle(request, response).catch((error) => answerError(response, error, options.report));
  };

  const limits = {
    headersTimeout: 10_000,
    requestTimeout: 300_000, // an update of 100 MB at 3 Mbit/s
    keepAliveTimeout: 30_000,
    maxHeaderSize: 16 * 1024,
  };
  const server: Server =
    options.certificate === undefined
      ? createServer(limits, listener)
      : createSecureServer({ ...limits, ...options.certificate }, listener);
  server.maxConnections = CONNECTIONS_MAX;
  boundLines(server, trust);
  server.on("upgrade", (request, stream, head) => {
    stream.on("error", () => undefined); // a client that vanishes in the handshake
    const refuse = (status: string) => endAndClose(stream, `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    arrive(request, trust);
    request.url = belowBase(request.url ?? "/", basePath) ?? "/";
    const path = urlOf(request)?.pathname;
    const isRelay = path === "/relay" && options.upgradeRelay !== undefined;
    if (path !== "/signal" && !isRelay) return refuse("404 Not Found");
    if (!hostIsOurs(hostHeader(request), policy)) return refuse("403 Forbidden");
    const allowed = originIsAllowed(request, policy);
    if (!isRelay) return options.upgrade(request, stream, head, allowed ? undefined : originRefusal(request));
    if (!allowed) return refuse("403 Forbidden"); // /signal has told its page why
    options.upgradeRelay?.(request, stream, head);
  });
  server.on("clientError", (_, stream) => {
    if (stream.writable) endAndClose(stream, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  });

  const port = await listen(server, options.host, options.port);
  return {
    port,
    policy,
    renewCertificate(certificate) {
      assert(server instanceof SecureServer, "a certificate for a host without HTTPS");
      server.setSecureContext(certificate);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** So that one address does not take all lines; of a trusted proxy, whose clients they are only its headers say. */
function boundLines(server: Server, trust: Trust): void {
  const linesByAddress = new Map<string, number>();
  server.on("connection", (socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined || trust(remoteAddress, 0)) return;
    const address = limitKeyOf(remoteAddress);
    const lines = (linesByAddress.get(address) ?? 0) + 1;
    if (lines > LINES_PER_ADDRESS_MAX) return void socket.destroy();
    linesByAddress.set(address, lines);
    socket.once("close", () => {
      const left = (linesByAddress.get(address) ?? 1) - 1;
      if (left > 0) linesByAddress.set(address, left);
      else linesByAddress.delete(address);
    });
  });
}

/** For good. The query was the client's: it goes back as it came, and Node refuses what is no header. */
function redirect(response: ServerResponse, location: string): void {
  response.writeHead(308, { Location: location }).end();
}

/**
 * A request that waits behind the answer before its own (a pipelined one, or one that came with that answer's last byte) is not told
 * by Node that the line has closed: the file or stream that it holds would be held for ever.
 */
function closeWithLine({ socket }: IncomingMessage, response: ServerResponse): void {
  const gone = () => {
    if (response.closed) return;
    response.destroy();
    response.emit("close");
  };
  socket.once("close", gone);
  response.once("close", () => socket.off("close", gone));
}

/** Last words: the other side may leave its half open for as long as it likes, so ours does not wait for it. */
export function endAndClose(stream: Duplex, text: string): void {
  stream.end(text, () => stream.destroy());
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      startFault(error, host, port).then((message) => reject(new StartError(message)), reject);
    });
    server.listen({ host, port }, () => resolve((server.address() as AddressInfo).port));
  });
}

async function startFault(error: NodeJS.ErrnoException, host: string, port: number): Promise<string> {
  switch (error.code) {
    case "EADDRINUSE":
      return portTakenMessage(port);
    case "EACCES":
      return `Port ${port} needs more rights than this user has. Choose one above 1023, for example --port 7070.`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is no address of this machine. Use --host 127.0.0.1 (this machine alone) or --share (its networks).`;
    default:
      return `Listening on ${host}:${port} failed: ${error.message}`;
  }
}

/** Under which name a client reached us, for the addresses that we tell it. */
export function reachedAs(request: IncomingMessage): string {
  const host = hostHeader(request);
  return host === undefined ? "127.0.0.1" : hostNameOf(host);
}

/** "::1" -> "[::1]": as URLs have it. */
export const bracketed = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host);
