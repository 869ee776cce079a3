// Answers of the API: JSON documents, and errors as {"error":{"code","message"}} with the right status; and what requests say.
import type { IncomingMessage, ServerResponse } from "node:http";
import * as z from "zod/mini";
import type { Report } from "./report.ts";

/** A run's draft with every field takes 3 kB. */
const BODY_BYTES_MAX = 64 * 1024;

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** For who should come back later. */
  readonly retryAfterS: number | undefined;
  constructor(status: number, code: string, message: string, retryAfterS?: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

export const notFound = (what: string): ApiError => new ApiError(404, "not-found", what);

export function answerJson(response: ServerResponse, status: number, document: unknown): void {
  const body = Buffer.from(JSON.stringify(document));
  response.writeHead(status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": body.length,
    "Cache-Control": "no-store",
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

export function answerText(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store" });
  response.end(response.req.method === "HEAD" ? undefined : text);
}

/** Anything that is no ApiError is our mistake: it is reported to the operator, not to the client. */
export function answerError(response: ServerResponse, error: unknown, report: Report): void {
  const known =
    error instanceof ApiError ? error : new ApiError(500, "internal", "The host made a mistake; its log has more.");
  if (known !== error)
    report(`${response.req.method} ${response.req.url}: ${(error as Error)?.stack ?? error}`, "error");
  if (response.headersSent) return void response.destroy();
  if (known.retryAfterS !== undefined) response.setHeader("Retry-After", known.retryAfterS);
  answerJson(response, known.status, { error: { code: known.code, message: known.message } });
}

/** Whether the client takes that encoding; "gzip;q=0" is a no. */
export const accepts = ({ headers }: IncomingMessage, encoding: "gzip" | "br"): boolean =>
  new RegExp(`\\b${encoding}\\b(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))`).test(String(headers["accept-encoding"] ?? ""));

/** A whole number of the query; more than `max` counts as `max`. @throws ApiError */
export function numberOf(query: URLSearchParams, name: string, otherwise: number, min: number, max: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || text.trim() === "" || value < min)
    throw new ApiError(400, "parameter", `${name} is "${text}"; it must be a whole number from ${min} on.`);
  return Math.min(value, max);
}

/** The body of a request, checked; an empty one is {}. @throws ApiError */
export async function readJson<T>(request: IncomingMessage, schema: z.ZodMiniType<T>): Promise<T> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX)
      throw new ApiError(413, "too-large", `A request's body has at most ${BODY_BYTES_MAX} bytes.`);
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString() || "{}";
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ApiError(400, "body", "The request's body is not JSON.");
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ApiError(400, "body", `The request's body is wrong: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
