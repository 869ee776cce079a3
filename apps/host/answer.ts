// Answers of the API: JSON documents, and errors as {"error":{"code","message"}} with the right status.
import type { ServerResponse } from "node:http";

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
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
export function answerError(response: ServerResponse, error: unknown, report: (line: string) => void): void {
  const known =
    error instanceof ApiError ? error : new ApiError(500, "internal", "The host made a mistake; its log has more.");
  if (known !== error) report(`${response.req.method} ${response.req.url}: ${(error as Error)?.stack ?? error}`);
  if (response.headersSent) return void response.destroy();
  answerJson(response, known.status, { error: { code: known.code, message: known.message } });
}
