// safetensors: named tensors in one file. https://github.com/huggingface/safetensors#format
//
//   | header bytes u64 | header: JSON {"name": {"dtype", "shape", "data_offsets": [from, to]}, "__metadata__": {text: text}} | tensors, end to end |
//
// Offsets count from the end of the header. The tensors fill the file: no gap, no overlap, nothing behind the last one.
import { type ByteSource, FormatError } from "./source.ts";

/** As the format's own reader has it: more is an attack, or no such file. */
export const HEADER_BYTES_MAX = 100_000_000;

/** Bits of a value, of all types that the format knew in 2026; we read three of them, and step over the others. */
const bitsByType: Readonly<Record<string, number>> = {
  ...{ F64: 64, I64: 64, U64: 64, C64: 64, F32: 32, I32: 32, U32: 32, F16: 16, BF16: 16, I16: 16, U16: 16 },
  ...{ I8: 8, U8: 8, BOOL: 8, F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
  ...{ F6_E2M3: 6, F6_E3M2: 6, F4: 4 },
};

export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly at: number; //    of its first byte, in the file
  readonly bytes: number;
}

export interface SafetensorsFile {
  readonly source: ByteSource;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads and checks the header; of the tensors nothing. @throws FormatError */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const wrong = (what: string) =>
    new FormatError(`${source.name}: ${what} It is damaged or no safetensors file: fetch it again.`);
  if (source.bytes < 8) throw wrong(`it has ${source.bytes} bytes, too few for a header.`);
  const size = new DataView(new Uint8Array(await source.read(0, 8)).buffer).getBigUint64(0, true);
  if (size > BigInt(HEADER_BYTES_MAX))
    throw wrong(`its header would have ${size} bytes; ${HEADER_BYTES_MAX} is the format's limit.`);
  const dataAt = 8 + Number(size);
  if (dataAt > source.bytes)
    throw wrong(`it ends after ${source.bytes} bytes, in the middle of its header of ${size}: it was cut short.`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await source.read(8, Number(size))));
  } catch {
    throw wrong("its header is not JSON.");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw wrong("its header is no JSON object.");
  const { __metadata__: metadata = {}, ...named } = header as Record<string, unknown>;
  if (!isTexts(metadata)) throw wrong("its __metadata__ is not a list of texts.");
  const tensors = Object.entries(named).map(([name, said]) => {
    const tensor = tensorFrom(name, said, dataAt);
    if (typeof tensor === "string") throw wrong(`tensor ${name} ${tensor}.`);
    return tensor;
  });
  tensors.sort((a, b) => a.at - b.at || a.bytes - b.bytes);
  let end = dataAt;
  for (const { name, at, bytes } of tensors) {
    if (at !== end)
      throw wrong(`tensor ${name} ${at < end ? "overlaps the one before it" : "leaves a gap before it"}.`);
    end = at + bytes;
  }
  if (end > source.bytes)
    throw wrong(`its header promises ${end} bytes, but it ends after ${source.bytes}: it was cut short.`);
  if (end < source.bytes) throw wrong(`its header tells of ${end} bytes, but it has ${source.bytes}.`);
  return { source, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

const isTexts = (value: unknown): value is Record<string, string> =>
  typeof value === "object" && value !== null && Object.values(value).every((each) => typeof each === "string");

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** The tensor, or what is wrong with it. */
function tensorFrom(name: string, said: unknown, dataAt: number): StoredTensor | string {
  const { dtype, shape, data_offsets } = (said ?? {}) as Record<string, unknown>;
  const bits = typeof dtype === "string" && Object.hasOwn(bitsByType, dtype) ? bitsByType[dtype] : undefined;
  if (bits === undefined) return `is of the unknown type ${JSON.stringify(dtype)}`;
  if (!Array.isArray(shape) || !shape.every(isSize)) return `has the shape ${JSON.stringify(shape)}, which is none`;
  const [from, to] = Array.isArray(data_offsets) && data_offsets.length === 2 ? data_offsets : [];
  if (!isSize(from) || !isSize(to) || to < from)
    return `has the offsets ${JSON.stringify(data_offsets)}, which are none`;
  const bytes = (shape.reduce((product, size) => product * size, 1) * bits) / 8;
  if (to - from !== bytes) return `has ${to - from} bytes, but ${JSON.stringify(shape)} of ${dtype} takes ${bytes}`;
  return { name, dtype: dtype as string, shape, at: dataAt + from, bytes };
}

/** A tensor to be written. */
export interface NamedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/**
 * What stands before the tensors, which follow in this order, end to end.
 * @param metadata transformers reads files alone whose "format" is "pt"
 */
export function safetensorsHeader(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let at = 0;
  const header: Record<string, unknown> = { __metadata__: metadata };
  for (const { name, dtype, shape } of tensors) {
    const bytes = (shape.reduce((product, size) => product * size, 1) * bitsByType[dtype]) / 8;
    header[name] = { dtype, shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8; // tensors begin where every type of them may be mapped
  const bytes = new Uint8Array(8 + padded).fill(0x20, 8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  return bytes;
}
