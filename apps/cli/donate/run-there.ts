// The run behind an address that a person typed or copied: found, and worth joining, or why not.
import { z } from "zod";
import { type RunDetail, runDetailSchema } from "#wire";
import { placeOf } from "../../web/views/places.ts";

/** A host on the other side of the world answers within one second; one that is busy within some. */
const ANSWER_WITHIN_MS = 15_000;

/** Why nobody can donate there; the message says what to do. */
export class NoRunError extends Error {
  override readonly name = "NoRunError";
}

export interface RunThere {
  /** Origin of the host. */
  readonly base: string;
  readonly detail: RunDetail;
}

/**
 * @param text as in a browser's address bar: of the donate page, of the watch page, with ?run= or without
 * @throws NoRunError
 */
export async function findRun(text: string, ask: typeof fetch = fetch): Promise<RunThere> {
  const url = parseUrl(text);
  const { runName } = placeOf(url);
  const base = url.origin;
  const response = await answerOf(`${base}/api/runs/${encodeURIComponent(runName)}`, base, ask);
  const document: unknown = await response.json().catch(() => undefined);
  if (response.status === 404 && isOurs(document)) throw new NoRunError(await unknownRun(base, runName, ask));
  if (!response.ok && isOurs(document))
    throw new NoRunError(`The host at ${base} answered: ${document.error.message} Try again later.`);
  const detail = runDetailSchema.safeParse(document);
  if (response.ok && detail.success) return { base, detail: detail.data };
  if (response.ok && typeof document === "object" && document !== null && "spec" in document)
    throw new NoRunError(
      `The host at ${base} is of another version than this command (${detail.error?.issues[0]?.path.join(".")}). Take the same version of both.`,
    );
  throw new NoRunError(
    `${base} answers, but is no Gossamer host. Take the address under "Donate" that \`gossamer host\` prints.`,
  );
}

function parseUrl(text: string): URL {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(withScheme)) throw new NoRunError(`"${text}" is no address. Example: http://localhost:7070`);
  const url = new URL(withScheme);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new NoRunError(
      `${url.protocol}// is not how a host is reached. Its address begins with http:// or https://.`,
    );
  return url;
}

async function answerOf(address: string, base: string, ask: typeof fetch): Promise<Response> {
  try {
    return await ask(address, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  } catch (error) {
    throw new NoRunError(unreachable(base, error));
  }
}

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

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const isOurs = (document: unknown): document is z.infer<typeof errorSchema> => errorSchema.safeParse(document).success;
const runsSchema = z.array(z.object({ id: z.string(), name: z.string() }));

async function unknownRun(base: string, runName: string, ask: typeof fetch): Promise<string> {
  const response = await answerOf(`${base}/api/runs`, base, ask);
  const runs = runsSchema.safeParse(await response.json().catch(() => undefined));
  const there = runs.success ? runs.data.map(({ id, name }) => `${name} (${base}/?run=${id})`).join(", ") : "";
  return `The host at ${base} has no run ${runName}.${there === "" ? "" : ` It has: ${there}.`}`;
}
