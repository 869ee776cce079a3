// GGUF, version 3, little-endian: the file of llama.cpp. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
//   | "GGUF" | version u32 | tensors u64 | pairs u64 | key, type u32, value … | name, dimensions u32, sizes u64 …, type u32, offset u64 … | 0 … | tensors |
//
// A text is its length (u64) and UTF-8. Sizes begin with the innermost. Each tensor, and the first of them, begins at a multiple of 32 bytes.
const ALIGNMENT = 32;

/** A value by its type's number in the file. */
export type GgufValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly i32s: readonly number[] };

/** ggml's numbers. */
const ggmlTypes = { F32: 0, F16: 1, Q8_0: 8, BF16: 30 } as const;

export interface GgufTensor {
  readonly name: string;
  /** Outermost first, as everywhere here. */
  readonly shape: readonly number[];
  readonly type: keyof typeof ggmlTypes;
  readonly bytes: number;
}

export const paddingBehind = (bytes: number): number => (ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT;

/** Into one array that grows: a vocabulary has 200,000 numbers and texts, and a host's other requests wait meanwhile. */
class Writer {
  readonly #encoder = new TextEncoder();
  #content = new Uint8Array(64 * 1024);
  #view = new DataView(this.#content.buffer);
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }
  /** @returns where so many bytes may be written */
  #take(bytes: number): number {
    if (this.#bytes + bytes > this.#content.length) {
      const larger = new Uint8Array(2 * (this.#bytes + bytes));
      larger.set(this.#content);
      this.#content = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#bytes += bytes;
    return this.#bytes - bytes;
  }
  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#content.set(bytes, at);
  }
  u32 = (value: number): void => {
    const at = this.#take(4);
    this.#view.setUint32(at, value, true);
  };
  i32 = (value: number): void => {
    const at = this.#take(4);
    this.#view.setInt32(at, value, true);
  };
  f32 = (value: number): void => {
    const at = this.#take(4);
    this.#view.setFloat32(at, value, true);
  };
  /** Below 2^53. */
  u64 = (value: number): void => {
    this.u32(value >>> 0);
    this.u32(Math.floor(value / 2 ** 32));
  };
  text(value: string): void {
    const at = this.#take(8 + 3 * value.length); // at most three bytes for each of UTF-16's
    const { written } = this.#encoder.encodeInto(value, this.#content.subarray(at + 8));
    this.#bytes = at;
    this.u64(written);
    this.#bytes += written;
  }
  value(value: GgufValue): void {
    if ("u32" in value) {
      this.u32(4);
      this.u32(value.u32);
    } else if ("f32" in value) {
      this.u32(6);
      this.f32(value.f32);
    } else if ("bool" in value) {
      this.u32(7);
      this.raw(Uint8Array.of(value.bool ? 1 : 0));
    } else if ("text" in value) {
      this.u32(8);
      this.text(value.text);
    } else if ("texts" in value) {
      this.#array(8, value.texts, (text) => this.text(text));
    } else this.#array(5, value.i32s, this.i32);
  }
  #array<T>(type: number, values: readonly T[], write: (value: T) => void): void {
    this.u32(9);
    this.u32(type);
    this.u64(values.length);
    for (const value of values) write(value);
  }
  whole(): Uint8Array {
    return this.#content.slice(0, this.#bytes);
  }
}

/** All that stands before the first tensor, its padding too. Tensors follow in this order, `paddingBehind` each of them. */
export function ggufHeader(
  pairs: readonly (readonly [string, GgufValue])[],
  tensors: readonly GgufTensor[],
): Uint8Array {
  const writer = new Writer();
  writer.raw(new TextEncoder().encode("GGUF"));
  writer.u32(3);
  writer.u64(tensors.length);
  writer.u64(pairs.length);
  for (const [key, value] of pairs) {
    writer.text(key);
    writer.value(value);
  }
  let offset = 0;
  for (const { name, shape, type, bytes } of tensors) {
    writer.text(name);
    writer.u32(shape.length);
    for (const size of [...shape].reverse()) writer.u64(size);
    writer.u32(ggmlTypes[type]);
    writer.u64(offset);
    offset += bytes + paddingBehind(bytes);
  }
  writer.raw(new Uint8Array(paddingBehind(writer.bytes)));
  return writer.whole();
}
