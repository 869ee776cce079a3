// What this peer has sent of late, against its share of the work. [R41]
//
// In a swarm where everybody gets the same blobs, the mean peer sends each of them once. Who has sent more than SHARE times the blobs that
// passed through its hands is beyond its share: others have them by now.

/** Blobs that count, the newest: a full round of 32 contributions and the one before. */
const BLOBS_KEPT = 64;
/** Above one, so that a slow peer's part can be done by others; well below two, the limit that no uploader passes. */
export const SHARE = 1.5;

export class Share {
  private readonly blobByName = new Map<string, { bytes: number; sent: number }>(); // oldest first
  private readonly share: number;
  private bytes = 0;
  private sent = 0;

  constructor(share: number) {
    this.share = share;
  }

  /** It is here, or on its way here. */
  hold(name: string, bytes: number): void {
    if (this.blobByName.has(name)) return;
    this.blobByName.set(name, { bytes, sent: 0 });
    this.bytes += bytes;
    for (const [oldest, blob] of this.blobByName) {
      if (this.blobByName.size <= BLOBS_KEPT) break;
      this.blobByName.delete(oldest);
      this.bytes -= blob.bytes;
      this.sent -= blob.sent;
    }
  }

  /** So many more of its bytes are promised; negative when a request ends early. */
  send(name: string, bytes: number): void {
    const blob = this.blobByName.get(name);
    if (!blob) return;
    blob.sent += bytes;
    this.sent += bytes;
  }

  isFull(): boolean {
    return this.sent >= this.share * this.bytes;
  }
}
