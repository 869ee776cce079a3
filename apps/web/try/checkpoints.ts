// The parameters of a checkpoint from a host: which ones it keeps, and the bytes of one, checked against their name. The anchor of now comes alike.
//
//   GET /api/runs/:id/{checkpoints, anchor} -> rows -> GET /api/blobs/:hash -> name as announced? -> the section "parameters" -> flat vector
import { BlobHttpError, downloadPieces } from "#mesh";
import { BaseError, type Digest, decodeCheckpointSection, loadBase, sharedTable } from "#outer";
import {
  apiErrorSchema,
  type BlobRef,
  blobName,
  type CheckpointRow,
  checkpointRowSchema,
  checkpointsSchema,
  pieceCount,
  type RunSpec,
  type Samples,
  samplesSchema,
} from "#wire";

/** unreachable: no answer. unknown-run: the host has another one. not-kept: it has forgotten this one. damaged: what came is not what was announced. */
export type CheckpointFault = "unreachable" | "unknown-run" | "not-kept" | "damaged";

export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
  readonly fault: CheckpointFault;
  constructor(fault: CheckpointFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** Where a run is. */
export interface RunPlace {
  readonly base: string; // the host's origin
  readonly run: string; // its id, or "default"
}

/** A document of the run. @throws CheckpointError */
export async function askRun({ base, run }: RunPlace, path: string, signal?: AbortSignal): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(`${base}/api/runs/${encodeURIComponent(run)}${path}`, { signal: signal ?? null });
  } catch (error) {
    signal?.throwIfAborted();
    throw new CheckpointError("unreachable", `the host ${base} cannot be reached (${reasonOf(error)})`);
  }
  const document: unknown = await response.json().catch(() => undefined);
  if (response.ok) return document;
  const said = apiErrorSchema.safeParse(document);
  const message = said.success ? said.data.error.message : `the host ${base} answered ${response.status}`;
  throw new CheckpointError(response.status === 404 ? "unknown-run" : "unreachable", message);
}

/** What there is to try. */
export interface Offered {
  /** That the host keeps, newest first. */
  readonly checkpoints: readonly CheckpointRow[];
  /** The anchor of now where the host gives it, else the newest checkpoint; null: nothing yet. */
  readonly newest: CheckpointRow | null;
}

/** @throws CheckpointError */
export async function askOffered(place: RunPlace, signal?: AbortSignal): Promise<Offered> {
  const [listed, anchor] = await Promise.all([askRun(place, "/checkpoints", signal), askAnchor(place, signal)]);
  const parsed = checkpointsSchema.safeParse(listed);
  if (!parsed.success) throw new CheckpointError("damaged", "the host's list of checkpoints is of another version");
  const { checkpoints } = parsed.data;
  const kept = checkpoints.at(0);
  return { checkpoints, newest: anchor && anchor.round > (kept?.round ?? 0) ? anchor : (kept ?? null) };
}

async function askAnchor(place: RunPlace, signal?: AbortSignal): Promise<CheckpointRow | undefined> {
  try {
    const parsed = checkpointRowSchema.safeParse(await askRun(place, "/anchor", signal));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof CheckpointError && error.fault === "unknown-run") return undefined; // 404: not now, or an older host
    throw error;
  }
}

/** What the host let the model write at each checkpoint; null: an older host, which has none. Told beside the rest: what is wrong is told there. */
export async function askSamples(place: RunPlace, signal?: AbortSignal): Promise<Samples | null> {
  try {
    return samplesSchema.safeParse(await askRun(place, "/samples", signal)).data ?? null;
  } catch (error) {
    if (error instanceof CheckpointError) return null;
    throw error;
  }
}

export const parametersBlob = ({ blobs }: Pick<CheckpointRow, "blobs">) =>
  blobs.find(({ name }) => name === "parameters");

/** What of a spec says what a checkpoint's parameters are. */
export type TriedModel = Pick<RunSpec, "model" | "lora" | "base">;

/**
 * What the run's peers share: the model's parameters, or adapters beside its base.
 * @param onBytes bytes since the last call
 * @throws CheckpointError, and what the signal says
 */
export async function fetchParameters(
  base: string,
  spec: TriedModel,
  row: CheckpointRow,
  onBytes: (bytes: number) => void = () => {},
  signal?: AbortSignal,
): Promise<Float32Array> {
  const blob = parametersBlob(row);
  const what = `the checkpoint of round ${row.round}`;
  if (!blob) throw new CheckpointError("damaged", `${what} names no parameters`);
  return parametersFrom(await fetchBlob(base, blob, what, onBytes, signal), spec, row.round);
}

const platformsDigest: Digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** The weights that stay beside adapters, checked. @param onBytes as above. @throws CheckpointError, and what the signal says */
export async function fetchBase(
  base: string,
  spec: TriedModel,
  onBytes: (bytes: number) => void = () => {},
  signal?: AbortSignal,
): Promise<Float32Array> {
  try {
    return await loadBase(spec, (ref) => fetchBlob(base, ref, "the run's base", onBytes, signal), platformsDigest);
  } catch (error) {
    throw error instanceof BaseError ? new CheckpointError("damaged", error.message) : error;
  }
}

/** @param what it is, for messages. @param onBytes bytes since the last call. @throws CheckpointError, and what the signal says */
export async function fetchBlob(
  base: string,
  { hash, bytes: length }: Pick<BlobRef, "hash" | "bytes">,
  what: string,
  onBytes: (bytes: number) => void = () => {},
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  const take = (_: number, piece: Uint8Array): void => {
    bytes.set(piece, at);
    at += piece.length;
  };
  const wanted = { name: hash, bytes: length, first: 0, pieces: pieceCount(length) };
  try {
    await downloadPieces({ base, fetch: (...given) => fetch(...given) }, wanted, take, onBytes, signal);
  } catch (error) {
    signal?.throwIfAborted();
    const gone = error instanceof BlobHttpError && error.status === 404;
    if (gone) throw new CheckpointError("not-kept", `the host no longer keeps ${what}`);
    throw new CheckpointError("unreachable", reasonOf(error));
  }
  if (blobName(bytes) !== hash) throw new CheckpointError("damaged", `the host sent other bytes than ${what} has`);
  return bytes;
}

/** @throws CheckpointError when the bytes are no parameters of such a model after so many rounds */
export function parametersFrom(bytes: Uint8Array, spec: TriedModel, round: number): Float32Array {
  const section = decodeCheckpointSection(bytes);
  const wrong = (what: string) => new CheckpointError("damaged", `the checkpoint of round ${round}: ${what}`);
  if (typeof section === "string") throw wrong(section);
  const { length } = sharedTable(spec);
  if (section.name !== "parameters") throw wrong(`${section.name} stands where its parameters should`);
  if (section.round !== round) throw wrong(`it is of round ${section.round}`);
  if (section.values.length !== length) throw wrong(`it has ${section.values.length} parameters, the run ${length}`);
  return section.values;
}

const reasonOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== "" ? cause.message : message;
};
