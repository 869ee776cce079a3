// A request for the run's documents, asked of the host that orders the run and answered as if it were this one's: also streams of events.
import { type IncomingMessage, request as requestPlain, type ServerResponse } from "node:http";
import { request as requestSecure } from "node:https";
import type { TLSSocket } from "node:tls";
import { ApiError } from "../answer.ts";
import { addressOf } from "../arrival.ts";
import type { LeaderCard } from "./words.ts";

/** Told to the other host, so that two that each take the other one for the leader do not pass a request to and fro. */
const PASSED = "x-gossamer-passed";
const REQUEST_HEADERS = ["accept", "accept-encoding", "if-none-match", "range"];
const RESPONSE_HEADERS = [
  ...["cache-control", "content-disposition", "content-encoding", "content-length", "content-range", "content-type"],
  ...["accept-ranges", "cross-origin-resource-policy", "etag", "retry-after", "vary", "x-accel-buffering"],
];
/** It is near; its event loop may be busy with a start. */
const CONNECT_MS = 5_000;

export const wasPassed = ({ headers }: IncomingMessage): boolean => headers[PASSED] !== undefined;

const away = (): ApiError =>
  new ApiError(
    503,
    "no-leader",
    "No host of this cluster answers for the run now. Another one takes over in seconds.",
    2,
  );

/** @throws ApiError while nobody leads, or the leader does not answer */
export function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  { pathname, search }: URL,
  leader: LeaderCard | undefined,
): Promise<void> {
  if (leader === undefined || wasPassed(request)) throw away();
  // Who asks: counted there where that host trusts this one (--trust-proxy).
  const headers: Record<string, string> = { [PASSED]: "1", "x-forwarded-for": addressOf(request) };
  for (const name of REQUEST_HEADERS) {
    const value = request.headers[name];
    if (value !== undefined) headers[name] = String(value);
  }
  const secure = leader.url.startsWith("https:");
  return new Promise((resolve, reject) => {
    // A certificate that a host made for itself is vouched for by nobody: the lease says what its print is.
    const options = { method: request.method ?? "GET", headers, timeout: CONNECT_MS, rejectUnauthorized: false };
    const asked = (secure ? requestSecure : requestPlain)(`${leader.url}${pathname}${search}`, options, (answer) => {
      if (secure && (answer.socket as TLSSocket).getPeerCertificate().fingerprint256 !== leader.fingerprint) {
        asked.destroy();
        return reject(away());
      }
      asked.setTimeout(0); // events may be silent for long
      for (const name of RESPONSE_HEADERS) {
        const value = answer.headers[name];
        if (value !== undefined) response.setHeader(name, value);
      }
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
      answer.on("end", resolve);
      answer.on("error", () => response.destroy()); // it died in the middle: whoever follows asks again
      answer.on("close", resolve);
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer")));
    asked.on("error", () => (response.headersSent ? response.destroy() : reject(away())));
    response.on("close", () => asked.destroy());
    asked.end();
  });
}
