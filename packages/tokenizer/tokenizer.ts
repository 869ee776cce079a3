// What a tokenizer is to everything that reads or writes text, and the simplest one.

export interface Tokenizer {
  /** Ids are below it: one more than the largest, which may be more than there are tokens. */
  readonly vocabSize: number;
  /** Stands behind each document; undefined: the tokenizer has no such token, and documents are separated by an empty line. */
  readonly endOfText: number | undefined;
  /** Nothing is put around the text. Names of special tokens in it become those tokens, as in the Hugging Face library. */
  encode(text: string): Uint16Array;
  /** Special tokens are left out. RangeError for an id that is not in the vocabulary. */
  decode(ids: ArrayLike<number>): string;
  /** Text as its ids come, one at a time: a character that is cut waits for its rest. */
  stream(): TextStream;
}

export interface TextStream {
  /** What that id adds, which may be nothing yet; a mark of replacement for an id that only the model has, whose vocabulary may be larger. */
  write(id: number): string;
  /** What was waited for in vain, as marks of replacement. */
  end(): string;
}

/** A tokenizer that cannot be used; the message names the file, the reason and the remedy. */
export class TokenizerError extends Error {
  override readonly name = "TokenizerError";
  constructor(file: string, reason: string, remedy: string) {
    super(`${file} ${reason}. ${remedy}`);
  }
}

const toUtf8 = new TextEncoder();

const REPLACEMENT = toUtf8.encode("\ufffd");

/** Both ways from ids to text, of a tokenizer whose ids stand for bytes each. */
export function byteDecoding(bytesById: readonly Uint8Array[]): Pick<Tokenizer, "decode" | "stream"> {
  const stream = (): TextStream => {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return {
      write: (id) => decoder.decode(bytesById[id] ?? REPLACEMENT, { stream: true }),
      end: () => decoder.decode(),
    };
  };
  const decode = (ids: ArrayLike<number>): string => {
    const { write, end } = stream();
    const texts = Array.from(ids, (id) => {
      if (bytesById[id] !== undefined) return write(id);
      throw new RangeError(`token id ${id}: this tokenizer has ids 0 to ${bytesById.length - 1}; use the run's own`);
    });
    return texts.join("") + end();
  };
  return { decode, stream };
}

/** The identity: id = byte of the UTF-8, V = 256, so that a loss in nats per token is nats per byte and nothing has to be downloaded. */
export const bytesTokenizer: Tokenizer = {
  vocabSize: 256,
  endOfText: undefined,
  encode: (text) => Uint16Array.from(toUtf8.encode(text)),
  ...byteDecoding(Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))),
};
