// A codec: how a pseudo-gradient becomes the body of an update, and what everybody reads in it.
//
//   codecOf(spec) -> RunCodec, what holds in every round  --at(round)-->  Codec, which encodes and reads what that round exchanges
//
//   values f32 (one per parameter)  --encode, on its maker's machine-->  body  --read, the same on every machine-->  Decoded
//
// Encoding is its maker's own affair (a GPU may do it, and round as it likes): any body that reads is a legal update. Reading is canonical.
import { assert } from "../assert.ts";

/** What a body says. Holds views of the bytes that it was read from. */
export interface Decoded {
  /** L2 norm of the decoded values, in f64 with a fixed order of operations: the same bits everywhere. */
  norm(): number;
  /** accumulator[i - start] += weight · decoded[i] for i in [start, end), each operation rounded to f32. */
  addTo(accumulator: Float32Array, weight: number, start: number, end: number): void;
}

/** What holds for a codec before anything is encoded. */
export interface CodecFacts {
  /** In an update's header: which codec made the body. */
  readonly id: number;
  /** In an update's header: how many neighbouring values share a scale, or are chosen from together. */
  readonly block: number;
  /** Bytes of the largest body that reads; of a run's codec: in any round. */
  readonly bodyBytesMax: number;
  /**
   * Error feedback: what a body leaves out is kept, shrinks by this factor from one offer to the next, and is added to the next
   * pseudo-gradient. Undefined: what is left out is lost.
   */
  readonly feedback?: number;
  /** Of error feedback with momentum (feedback.ts). */
  readonly momentum?: number;
  /** Whether the sum of several bodies fits one body, so that groups can form. [R27] */
  readonly sums: boolean;
}

/** A codec bound to one round of a run. */
export interface Codec extends CodecFacts {
  /** Values that the round exchanges. */
  readonly length: number;
  /** A GPU can make its bodies too, the same in every round. */
  readonly onDevice?: true;
  /** @throws RangeError when a value is not finite or too large to decode: the training diverged, and there is nothing to offer */
  encode(values: Float32Array): Uint8Array;
  /** Where codecs share state: changes it, given the mean of what a commit's updates decode to. The same bits on every machine. */
  advance?(mean: Float32Array): void;
  /** Or why the update's weight is 0 by rule: the same answer on every machine, whatever the bytes. Never throws. */
  read(body: Uint8Array): Decoded | string;
}

/** The codec that a run's spec names. */
export interface RunCodec extends CodecFacts {
  /** @param shared section "codec" of the shared state before that round, where the run has one */
  at(round: number, shared?: Float32Array): Codec;
  /** What codecs share before round 0; undefined: nothing. */
  readonly genesis?: () => Float32Array;
  /** Where a GPU can make its bodies too, of what it trained since a mark: the codec of every round. Undefined: bodies are made on the CPU. */
  readonly onDevice?: Codec;
}

/** What a body says that this machine has made itself: one that does not read is our bug. */
export function readOwn(codec: Codec, body: Uint8Array): Decoded {
  const decoded = codec.read(body);
  assert(typeof decoded !== "string", `the body that was just made does not read: ${decoded}`);
  return decoded;
}

/** For encode: what it found, and where. */
export const diverged = (value: number, from: number, to: number): RangeError =>
  new RangeError(`the pseudo-gradient holds ${value} among parameters ${from} to ${to - 1}: training diverged`);

/** For codecs whose values are sums, which must not overflow where they are read. @throws RangeError */
export function refuseBeyond(normMax: number, values: Float32Array): void {
  let squares = 0;
  for (const value of values) squares += value * value;
  const norm = Math.sqrt(squares);
  if (!(norm < normMax)) throw new RangeError(`the pseudo-gradient's norm is ${norm}: training diverged`);
}

/** Of a codec in one round: what its run's codec says, where rounds do not differ in it. */
export const factsOf = ({ id, block, bodyBytesMax, sums, feedback, momentum }: Codec): CodecFacts => ({
  id,
  block,
  bodyBytesMax,
  sums,
  ...(feedback !== undefined && { feedback }),
  ...(momentum !== undefined && { momentum }),
});
