// A host as commands reach it: by an address that a person typed or copied, over its API, with errors that say what to do.
//
//   "example.org:7070/watch?run=ab12" -> base, run -> GET BASE/api/… -> a document that its schema has checked
import * as z from "zod/mini";
import { apiErrorSchema, type RunDetail, type RunSummary, runDetailSchema, runSummarySchema } from "#wire";

/** A host on the other side of the world answers within one second; one that is busy within some. */
const ANSWER_WITHIN_MS = 15_000;
/** Runs that an error names; more are counted. */
const NAMED_MAX = 12;

/** unreachable: nobody answers. no-host: somebody else does. version: not as this build reads it. refused: the host says why. */
export type RemoteFault = "unreachable" | "no-host" | "version" | "unknown-run" | "refused";

/** Why a host did not answer as asked; the message says what to do. */
export class RemoteError extends Error {
  override readonly name = "RemoteError";
  readonly fault: RemoteFault;
  /** Of an answer that refuses. */
  readonly status: number | undefined;
  constructor(fault: RemoteFault, message: string, status?: number) {
    super(message);
    this.fault = fault;
    this.status = status;
  }
}

/** So much another version's hosts tell too. */
const namedRunsSchema = z.array(z.object({ id: z.string(), name: z.string() }));

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: T }
    | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };
}

/** @throws RemoteError */
export function placeOfAddress(text: string): { base: string; run: string | undefined; invite: string | null } {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(withScheme))
    throw new RemoteError("no-host", `"${text}" is no address. Example: http://localhost:7070`);
  const url = new URL(withScheme);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new RemoteError(
      "no-host",
      `${url.protocol}// is not how a host is reached. Its address begins with http:// or https://.`,
    );
  // A host may live below a path of its own (behind a proxy); what people copy is often its watch page.
  const path = url.pathname.replace(/\/+$/, "").replace(/\/watch$/, "");
  const { searchParams } = url;
  return {
    base: `${url.origin}${path}`,
    run: searchParams.get("run") ?? undefined,
    invite: searchParams.get("invite")?.slice(0, 64) || null,
  };
}

export class Remote {
  readonly base: string;
  readonly #ask: typeof fetch;

  /** @param base as placeOfAddress gives it: without a slash at the end */
  constructor(base: string, ask: typeof fetch = fetch) {
    this.base = base;
    this.#ask = ask;
  }

  /**
   * A document of the host.
   * @param path from the base on: "/api/runs"
   * @throws RemoteError
   */
  async ask<T>(path: string, schema: Schema<T>, init: RequestInit = {}): Promise<T> {
    const response = await this.open(path, init);
    const document: unknown = await response.json().catch(() => undefined);
    const parsed = schema.safeParse(document);
    if (parsed.success) return parsed.data;
    if (typeof document !== "object" || document === null) throw this.#noHost();
    const { path: where, message } = parsed.error.issues[0];
    throw new RemoteError(
      "version",
      `The host at ${this.base} is of another version than this command (${path}: ${where.join(".")} ${message}). Take the same version of both.`,
    );
  }

  /** An answer whose status is good. @throws RemoteError */
  async open(path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await this.#ask(`${this.base}${path}`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS), ...init });
    } catch (error) {
      throw new RemoteError("unreachable", unreachable(this.base, error));
    }
    if (response.ok) return response;
    const said = apiErrorSchema.safeParse(await response.json().catch(() => undefined));
    if (!said.success) throw this.#noHost();
    const { message } = said.data.error;
    throw new RemoteError("refused", `The host at ${this.base} answered: ${message}`, response.status);
  }

  #noHost(): RemoteError {
    return new RemoteError(
      "no-host",
      `${this.base} answers, but is no Gossamer host. Take the address under "Donate" that \`gossamer host\` prints.`,
    );
  }

  /** @throws RemoteError */
  runs(): Promise<RunSummary[]> {
    return this.ask("/api/runs", z.array(runSummarySchema));
  }

  /** @param run its id, or "default". @throws RemoteError */
  async detail(run: string): Promise<RunDetail> {
    try {
      return await this.ask(runPath(run), runDetailSchema);
    } catch (error) {
      if (error instanceof RemoteError && error.status === 404) throw await this.#unknownRun(run);
      throw error;
    }
  }

  async #unknownRun(run: string): Promise<RemoteError> {
    const runs = await this.ask("/api/runs", namedRunsSchema);
    const named = runs.slice(0, NAMED_MAX).map(({ id, name }) => `${name} (${this.base}/?run=${id})`);
    if (runs.length > named.length) named.push(`and ${runs.length - named.length} more`);
    const there = named.length === 0 ? "" : ` It has: ${named.join(", ")}.`;
    return new RemoteError("unknown-run", `The host at ${this.base} has no run ${run}.${there}`, 404);
  }
}

/** @param what of the run: "/log?from=0" */
export const runPath = (run: string, what = ""): string => `/api/runs/${encodeURIComponent(run)}${what}`;

function unreachable(base: string, error: unknown): string {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  const code = cause?.code ?? "";
  if ((error as Error).name === "TimeoutError") return `${base} does not answer within ${ANSWER_WITHIN_MS / 1000} s.`;
  if (/CERT|SELF_SIGNED|ALTNAME/.test(code))
    return `${base} shows a certificate that nobody vouches for (${code}). If it is the host's own (--share), copy DATA/tls-cert.pem from there and set NODE_EXTRA_CA_CERTS to that file.`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `There is no machine named ${new URL(base).hostname}.`;
  if (code === "ECONNREFUSED") return `Nobody answers at ${base}. Is the host running, and is the port right?`;
  return `${base} cannot be reached: ${cause?.message ?? String(error)}.`;
}
