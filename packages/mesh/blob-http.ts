// Blobs to and from the host over HTTP: own updates up, pieces of what no peer has down.
import { PIECE_BYTES, pieceListBytes } from "#wire";

/** The host did not take or give a blob: status, its own words where it has any. `status` 0: it cannot be reached. */
export class BlobHttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.name = "BlobHttpError";
    this.status = status;
  }
}

export interface BlobHost {
  /** Origin of the host, without a slash at the end. */
  readonly base: string;
  readonly fetch: typeof fetch;
}

/** PUT /api/blobs/:hash. Resolves when the host has the bytes on its disk. Rejects with BlobHttpError. */
export async function uploadBlob(
  host: BlobHost,
  name: string,
  bytes: Uint8Array,
  session: string,
  signal?: AbortSignal,
): Promise<void> {
  const response = await request(host, name, {
    method: "PUT",
    headers: { authorization: `Bearer ${session}`, "content-type": "application/octet-stream" },
    body: bytes as Uint8Array<ArrayBuffer>,
    signal: signal ?? null,
  });
  await response.body?.cancel();
}

/** GET /api/blobs/:hash/pieces: the piece list, as bytes that nobody has checked yet. Rejects with BlobHttpError. */
export async function downloadPieceList(
  host: BlobHost,
  name: string,
  blobBytes: number,
  onBytes: (bytes: number) => void = () => {},
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const response = await request(host, `${name}/pieces`, { signal: signal ?? null });
  const list = new Uint8Array(pieceListBytes(blobBytes));
  let received = 0;
  await readAll(response, name, (part) => {
    if (received + part.length > list.length) throw tooLong(name, list.length);
    list.set(part, received);
    received += part.length;
    onBytes(part.length);
  });
  return list.slice(0, received);
}

export interface PieceRun {
  readonly name: string;
  /** Of the whole blob, as announced. */
  readonly bytes: number;
  readonly first: number;
  readonly pieces: number;
}

/**
 * GET /api/blobs/:hash, some pieces of it. Each is handed over when it is whole; the caller checks it. Rejects with BlobHttpError, also when
 * the host sends more or less than those pieces.
 * @param onBytes bytes since the last call
 */
export async function downloadPieces(
  host: BlobHost,
  { name, bytes, first, pieces }: PieceRun,
  onPiece: (piece: number, bytes: Uint8Array) => void,
  onBytes: (bytes: number) => void = () => {},
  signal?: AbortSignal,
): Promise<void> {
  const start = first * PIECE_BYTES;
  const end = Math.min(bytes, (first + pieces) * PIECE_BYTES);
  const whole = end - start === bytes; // without a range the host may send a shard packed
  const headers = whole ? {} : { range: `bytes=${start}-${end - 1}` };
  const response = await request(host, name, { headers, signal: signal ?? null });
  if (response.status !== (whole ? 200 : 206))
    throw new BlobHttpError(response.status, `the host answered a range of blob ${short(name)} with another one`);
  let at = start;
  let piece = new Uint8Array(Math.min(PIECE_BYTES, end - start));
  await readAll(response, name, (part) => {
    onBytes(part.length);
    for (let taken = 0; taken < part.length; ) {
      if (at === end) throw tooLong(name, end - start);
      const place = (at - start) % PIECE_BYTES;
      const some = part.subarray(taken, taken + piece.length - place);
      piece.set(some, place);
      taken += some.length;
      at += some.length;
      if (place + some.length < piece.length) continue;
      onPiece(Math.ceil(at / PIECE_BYTES) - 1, piece);
      piece = new Uint8Array(Math.min(PIECE_BYTES, end - at));
    }
  });
  if (at !== end)
    throw new BlobHttpError(
      response.status,
      `the host sent ${at - start} of ${end - start} bytes of blob ${short(name)}`,
    );
}

async function readAll(response: Response, name: string, onPart: (part: Uint8Array) => void): Promise<void> {
  if (!response.body) throw new BlobHttpError(response.status, `the host answered blob ${short(name)} without bytes`);
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onPart(value);
    }
  } catch (error) {
    await reader.cancel().catch(() => {});
    throw error instanceof BlobHttpError
      ? error
      : new BlobHttpError(0, `blob ${short(name)} broke off: ${String(error)}`);
  }
}

const short = (name: string): string => name.slice(0, 12);
const tooLong = (name: string, bytes: number) =>
  new BlobHttpError(200, `blob ${short(name)} is longer than the ${bytes} bytes announced`);

/** @param name of the blob, and what is asked of it */
async function request(host: BlobHost, name: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await host.fetch(`${host.base}/api/blobs/${name}`, init);
  } catch (error) {
    throw new BlobHttpError(0, `the host cannot be reached for blob ${short(name)}: ${String(error)}`);
  }
  if (response.ok) return response;
  const text = await response.text().catch(() => "");
  throw new BlobHttpError(
    response.status,
    `the host answered ${response.status} for blob ${short(name)}: ${text.slice(0, 200)}`,
  );
}
