// Everything that goes to the host and back over HTTP: own updates up, pages of the log and what no peer has down. Counts the bytes.
import { type BlobHost, downloadPieceList, downloadPieces, type HostBlobs, uploadBlob } from "#mesh";
import { type LogEntry, logEntrySchema, networkOfferSchema } from "#wire";

/** Entries per page; the host bounds a page in bytes too. */
const LOG_PAGE = 500;

export class HostLine implements HostBlobs {
  readonly blobs: BlobHost;
  bytesFromHost = 0;
  bytesToHost = 0;
  /** Bearer token of the current connection. */
  session = "";
  readonly #abort = new AbortController();

  constructor(base: string) {
    this.blobs = { base, fetch: (input, init) => fetch(input, init) };
  }

  private readonly countDown = (bytes: number): void => {
    this.bytesFromHost += bytes;
  };

  async upload(name: string, bytes: Uint8Array): Promise<void> {
    await uploadBlob(this.blobs, name, bytes, this.session, this.#abort.signal);
    this.bytesToHost += bytes.length;
  }

  pieceList(name: string, blobBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return downloadPieceList(this.blobs, name, blobBytes, this.countDown, signal);
  }

  pieces(...[run, onPiece, signal]: Parameters<HostBlobs["pieces"]>): Promise<void> {
    return downloadPieces(this.blobs, run, onPiece, this.countDown, signal);
  }

  /** One page of the log, each entry of the right form; its chain and signatures are the core's to check. Rejects when the host does not answer. */
  async log(run: string, from: number): Promise<LogEntry[]> {
    const response = await fetch(`${this.blobs.base}/api/runs/${run}/log?raw=1&from=${from}&limit=${LOG_PAGE}`, {
      signal: this.#abort.signal,
    });
    const text = await response.text();
    this.bytesFromHost += text.length;
    if (!response.ok) throw new Error(`the host answered ${response.status} for its log`);
    const page: unknown = JSON.parse(text);
    if (!Array.isArray(page)) throw new Error("the host's log is no list");
    return page.map((entry) => logEntrySchema.parse(entry));
  }

  /** Whether it has used up what it may relay this month: then pairs that cannot connect directly have no other way. */
  async isOverCap(): Promise<boolean> {
    const asked = fetch(`${this.blobs.base}/api/network`, { cache: "no-store", signal: this.#abort.signal });
    return asked
      .then(async (answer) => networkOfferSchema.parse(await answer.json()).overCap === true)
      .catch(() => false);
  }

  /** Whether the host answers a plain request. */
  async answers(): Promise<boolean> {
    const asked = fetch(`${this.blobs.base}/healthz`, { cache: "no-store", signal: this.#abort.signal });
    return asked.then(({ ok }) => ok).catch(() => false);
  }

  /** Ends what is under way. */
  close(): void {
    this.#abort.abort();
  }
}
