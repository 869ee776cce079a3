// Tokenizers by the name that a spec's data.tokenizer gives: text as UTF-8 bytes <-> token ids.
//
// "bytes" is the identity: id = byte, V = 256, so that a loss in nats per token is nats per byte and nothing has to be downloaded.
export interface Tokenizer {
  readonly vocabSize: number;
  encode(text: Uint8Array): Uint16Array;
  /** RangeError for an id that is not in the vocabulary. */
  decode(ids: ArrayLike<number>): Uint8Array;
}

export const tokenizers = {
  bytes: {
    vocabSize: 256,
    encode: (text) => Uint16Array.from(text),
    decode: (ids) =>
      Uint8Array.from(ids, (id) => {
        if (id > 255)
          throw new RangeError(`token id ${id}: the bytes tokenizer has ids 0 to 255; use the run's own tokenizer`);
        return id;
      }),
  },
} as const satisfies Record<string, Tokenizer>;
