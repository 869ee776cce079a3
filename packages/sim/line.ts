// One direction of a machine's line: what all its transfers share. Bytes pass in the order in which they were given.

export class Line {
  /** Everything given so far has passed by then. */
  freeAt = 0;
  bytes = 0;
  private readonly bytesPerMs: number;

  constructor(mbit: number) {
    this.bytesPerMs = (mbit * 1e6) / 8 / 1000;
  }

  /** @returns when the last byte has passed */
  take(now: number, bytes: number): number {
    this.bytes += bytes;
    this.freeAt = Math.max(now, this.freeAt) + bytes / this.bytesPerMs;
    return this.freeAt;
  }
}
