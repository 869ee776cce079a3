// Blobs to and from the host over HTTP: own updates up, what no peer has down. Checked against their names, as from any stranger.
import { blobName } from "#wire";

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

/**
 * GET /api/blobs/:hash. Rejects with BlobHttpError, also when the bytes are not the ones of that name.
 * @param bytes length of the blob, as announced: nothing longer is read
 * @param onProgress bytes since the last call
 */
export async function downloadBlob(
  host: BlobHost,
  name: string,
  bytes: number,
  onProgress: (bytes: number) => void = () => {},
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const response = await request(host, name, { signal: signal ?? null });
  if (!response.body) throw new BlobHttpError(response.status, `the host answered blob ${short(name)} without bytes`);
  const blob = new Uint8Array(bytes);
  let received = 0;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (received + value.length > bytes) throw tooLong(name, bytes);
      blob.set(value, received);
      received += value.length;
      onProgress(value.length);
    }
  } catch (error) {
    await reader.cancel().catch(() => {});
    throw error instanceof BlobHttpError
      ? error
      : new BlobHttpError(0, `blob ${short(name)} broke off: ${String(error)}`);
  }
  if (received !== bytes || blobName(blob) !== name) {
    throw new BlobHttpError(
      response.status,
      `the host's ${received} bytes for blob ${short(name)} are not the ones of that name`,
    );
  }
  return blob;
}

const short = (name: string): string => name.slice(0, 12);
const tooLong = (name: string, bytes: number) =>
  new BlobHttpError(200, `blob ${short(name)} is longer than the ${bytes} bytes announced`);

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
