// Everybody's partial sum, added up in the order of ranks: what each member gets has the same bits.
//
//   direct           own part to everybody            f32: the sum    int8: the shards of all ranks, for the kernel that reads them
//   reduce-scatter   slice j to rank j, which adds up and gives the sum of its slice to everybody
//   star             all to rank 0, which adds up and gives the sum to everybody
//
// A sum that one member makes is encoded once more, and everybody decodes the same codes, its maker too.
import type { Exchange, Form } from "#wire/islands";
import { decodeShard, encodeShard, SHARD_BLOCK, type Shard, shardFrom, shardWordsOf } from "../reference/shard.ts";
import { type Lane, receiveBytes } from "./port.ts";

export interface AllReduce {
  readonly exchange: Exchange;
  readonly form: Form;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Shards that an exchange in int8 leaves to the kernel. */
export const shardsOf = ({ form }: Pick<AllReduce, "form">, ranks: number): number => (form === "direct" ? ranks : 1);

/**
 * @param own f32, or a shard (scales | codes); of the same length at every rank; kept as it is
 * @param numbers how many it stands for, a multiple of SHARD_BLOCK unless it is f32
 * Rejects with IslandLostError.
 */
export async function allReduce(
  lane: Lane,
  { exchange, form }: AllReduce,
  own: Bytes,
  numbers: number,
): Promise<Bytes> {
  const kind = exchange === "f32" ? exact : coded;
  if (form === "direct") return kind.gathered(await exchangeAll(lane, own), numbers);
  const owners = form === "star" ? [0] : Array.from({ length: lane.ranks }, (_, rank) => rank);
  const slices = slicesOf(numbers, owners.length);
  const mine = owners.indexOf(lane.rank);
  const cuts = slices.map((slice) => kind.cut(own, numbers, slice));
  for (const [i, owner] of owners.entries()) if (owner !== lane.rank) lane.send(owner, cuts[i]);
  const sum = mine < 0 ? undefined : kind.sum(await everybodys(lane, cuts[mine]), slices[mine].length);
  if (sum) sendAll(lane, sum);
  const sums = owners.map((owner, i) => (i === mine && sum ? sum : receiveBytes(lane, owner, cuts[i].length)));
  return kind.joined(await Promise.all(sums), slices);
}

/** Everybody's numbers, by rank; as many of each. Rejects with IslandLostError. */
export async function exchangeNumbers(lane: Lane, own: readonly number[]): Promise<Float64Array[]> {
  const all = await exchangeAll(lane, bytesOf(Float64Array.from(own)));
  return all.map((bytes) => new Float64Array(bytes.slice().buffer));
}

function exchangeAll(lane: Lane, own: Bytes): Promise<Bytes[]> {
  sendAll(lane, own);
  return everybodys(lane, own);
}

function sendAll(lane: Lane, bytes: Bytes): void {
  for (let to = 0; to < lane.ranks; to++) if (to !== lane.rank) lane.send(to, bytes.slice());
}

const everybodys = (lane: Lane, own: Bytes): Promise<Bytes[]> =>
  Promise.all(
    Array.from({ length: lane.ranks }, (_, from) => (from === lane.rank ? own : receiveBytes(lane, from, own.length))),
  );

interface Slice {
  readonly from: number;
  readonly length: number;
}

/** Of whole blocks, as equal as they can be. */
function slicesOf(numbers: number, count: number): Slice[] {
  const blocks = Math.ceil(numbers / SHARD_BLOCK);
  const at = (i: number): number => Math.min(numbers, Math.round((i * blocks) / count) * SHARD_BLOCK);
  return Array.from({ length: count }, (_, i) => ({ from: at(i), length: at(i + 1) - at(i) }));
}

interface Kind {
  /** All ranks' own parts, as the exchange's result. */
  gathered(parts: readonly Bytes[], numbers: number): Bytes;
  cut(whole: Bytes, numbers: number, slice: Slice): Bytes;
  sum(parts: readonly Bytes[], numbers: number): Bytes;
  joined(parts: readonly Bytes[], slices: readonly Slice[]): Bytes;
}

const floatsOf = ({ buffer, byteOffset, byteLength }: Bytes): Float32Array<ArrayBuffer> =>
  new Float32Array(buffer, byteOffset, byteLength / 4);
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Bytes =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

function added(parts: readonly Float32Array[], length: number): Float32Array<ArrayBuffer> {
  const sum = new Float32Array(length);
  for (const part of parts) for (let i = 0; i < length; i++) sum[i] += part[i];
  return sum;
}

function concatenated(parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const summed: Kind["sum"] = (parts, numbers) => bytesOf(added(parts.map(floatsOf), numbers));

const exact: Kind = {
  gathered: summed,
  cut: (whole, _, { from, length }) => whole.slice(4 * from, 4 * (from + length)),
  sum: summed,
  joined: (parts) => concatenated(parts),
};

const shardOf = (bytes: Bytes, numbers: number): Shard =>
  shardFrom(new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4), numbers);

const coded: Kind = {
  gathered: (parts) => concatenated(parts),
  cut: (whole, numbers, { from, length }) => {
    const { scales, codes } = shardOf(whole, numbers);
    const end = from + length;
    const part = {
      scales: scales.slice(from / SHARD_BLOCK, Math.ceil(end / SHARD_BLOCK)),
      codes: codes.slice(from, end),
    };
    return bytesOf(shardWordsOf(part));
  },
  sum: (parts, numbers) => {
    const decoded = parts.map((part) => decodeShard(shardOf(part, numbers)));
    return bytesOf(shardWordsOf(encodeShard(added(decoded, numbers))));
  },
  joined: (parts, slices) => {
    const shards = parts.map((part, i) => shardOf(part, slices[i].length));
    return concatenated([...shards.map(({ scales }) => bytesOf(scales)), ...shards.map(({ codes }) => bytesOf(codes))]);
  },
};
