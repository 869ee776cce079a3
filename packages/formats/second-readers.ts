// safetensors and GGUF read by their published descriptions alone: nothing of the writers beside this file is used, so a mistake of theirs is not made twice.
//
//   https://github.com/huggingface/safetensors#format        https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

export interface ReadTensor {
  readonly type: string;
  readonly shape: readonly number[]; // outermost first
  readonly values: number[];
}

const halfToNumber = (bits: number): number => {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
};
const brainToNumber = (view: DataView, at: number): number => {
  const whole = new DataView(new ArrayBuffer(4));
  whole.setUint16(2, view.getUint16(at, true), true);
  return whole.getFloat32(0, true);
};

function valuesOf(view: DataView, at: number, count: number, type: string): number[] {
  const each = <T>(read: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => read(i));
  if (type === "F32") return each((i) => view.getFloat32(at + 4 * i, true));
  if (type === "F16") return each((i) => halfToNumber(view.getUint16(at + 2 * i, true)));
  if (type === "BF16") return each((i) => brainToNumber(view, at + 2 * i));
  if (type !== "Q8_0") throw new Error(`type ${type}`);
  return each((i) => {
    const block = at + 34 * Math.floor(i / 32);
    return halfToNumber(view.getUint16(block, true)) * view.getInt8(block + 2 + (i % 32));
  });
}

export function readSafetensors(file: Uint8Array): {
  metadata: Record<string, string>;
  tensors: Map<string, ReadTensor>;
} {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const header = JSON.parse(Buffer.from(file.subarray(8, 8 + headerBytes)).toString());
  const tensors = new Map<string, ReadTensor>();
  let end = 0;
  for (const [name, { dtype, shape, data_offsets }] of Object.entries<Record<string, never>>(header)) {
    if (name === "__metadata__") continue;
    const count = (shape as number[]).reduce((a, b) => a * b, 1);
    end = Math.max(end, data_offsets[1]);
    tensors.set(name, { type: dtype, shape, values: valuesOf(view, 8 + headerBytes + data_offsets[0], count, dtype) });
  }
  if (8 + headerBytes + end !== file.length) throw new Error("the tensors do not fill the file");
  return { metadata: header.__metadata__, tensors };
}

const ggmlTypeNames: Record<number, string> = { 0: "F32", 1: "F16", 8: "Q8_0", 30: "BF16" };

export function readGguf(file: Uint8Array): { pairs: Map<string, unknown>; tensors: Map<string, ReadTensor> } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 0;
  const take = (bytes: number): number => {
    at += bytes;
    return at - bytes;
  };
  const u32 = (): number => view.getUint32(take(4), true);
  const u64 = (): number => Number(view.getBigUint64(take(8), true));
  const text = (): string => {
    const length = u64();
    return Buffer.from(file.subarray(take(length), at)).toString();
  };
  const value = (type: number): unknown => {
    if (type === 4) return u32();
    if (type === 5) return view.getInt32(take(4), true);
    if (type === 6) return view.getFloat32(take(4), true);
    if (type === 7) return view.getUint8(take(1)) === 1;
    if (type === 8) return text();
    if (type !== 9) throw new Error(`type ${type} of a value`);
    const [of, count] = [u32(), u64()];
    return Array.from({ length: count }, () => value(of));
  };
  if (Buffer.from(file.subarray(take(4), at)).toString() !== "GGUF" || u32() !== 3) throw new Error("no GGUF 3");
  const [tensorCount, pairCount] = [u64(), u64()];
  const pairs = new Map(Array.from({ length: pairCount }, () => [text(), value(u32())] as const));
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const shape = Array.from({ length: u32() }, u64).reverse();
    return { name, shape, type: ggmlTypeNames[u32()], offset: u64() };
  });
  const alignment = (pairs.get("general.alignment") as number | undefined) ?? 32;
  const dataAt = Math.ceil(at / alignment) * alignment;
  const tensors = new Map<string, ReadTensor>();
  for (const { name, shape, type, offset } of infos) {
    if (offset % alignment !== 0) throw new Error(`${name} is not aligned`);
    const count = shape.reduce((a, b) => a * b, 1);
    tensors.set(name, { type, shape, values: valuesOf(view, dataAt + offset, count, type) });
  }
  return { pairs, tensors };
}
