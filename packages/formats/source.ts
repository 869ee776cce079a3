// Where bytes come from: a file, a blob, an array. Readers of this package ask for ranges, so nothing is ever held whole.

/** Somebody else's file is not what its format says, or not what we can run: the thing, the reason, the remedy. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}

export interface ByteSource {
  /** For messages: what a person would call it. */
  readonly name: string;
  readonly bytes: number;
  /** Exactly `length` bytes from `from` on, which lie within `bytes`; rejects when they cannot be read. */
  read(from: number, length: number): Promise<Uint8Array>;
}

export const sourceOf = (name: string, content: Uint8Array): ByteSource => ({
  name,
  bytes: content.length,
  async read(from, length) {
    return content.subarray(from, from + length);
  },
});
