// A round's offers, as a commit names them: what the fold reads, without log, signatures and network.
import { type Codec, type Decoded, readOwn, updateOf } from "#outer";
import { blobName, type Contribution, type EntryOf, type PeerId } from "#wire";

/** Nobody here starts from another anchor. */
const baseHash = "0".repeat(64);

export class Offers<Peer extends { readonly id: PeerId }> {
  /** Bytes of each offer, by its peer. */
  readonly bytesBy = new Map<Peer, number>();
  private readonly contributors: Contribution[] = [];
  private readonly blobByName = new Map<string, Uint8Array>();
  private readonly codec: Codec;
  private readonly round: number;
  private readonly work: { readonly tokens: number; readonly steps: number };

  /** @param work of each peer in the round */
  constructor(codec: Codec, round: number, work: { readonly tokens: number; readonly steps: number }) {
    this.codec = codec;
    this.round = round;
    this.work = work;
  }

  /** @returns what it decodes to; undefined: the values are no numbers, or too large */
  add(peer: Peer, values: Float32Array): Decoded | undefined {
    const { codec, round, work } = this;
    let body: Uint8Array;
    try {
      body = codec.encode(values);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
    const bytes = updateOf({ round, baseHash, tokens: work.tokens, codec }, body);
    const update = blobName(bytes);
    this.blobByName.set(update, bytes);
    this.bytesBy.set(peer, bytes.length);
    const offer = { round, openSeq: 0, baseHash, peer: peer.id, update, bytes: bytes.length };
    this.contributors.push({ ...offer, ...work, loss: 0, signature: "" });
    return readOwn(codec, body);
  }

  /** @param reversed as it reaches somebody else: the order in which offers came is not the same everywhere */
  commit(reversed = false): EntryOf<"commit"> {
    const contributors = reversed ? [...this.contributors].reverse() : this.contributors;
    return { round: this.round, baseHash, contributors } as unknown as EntryOf<"commit">; // the fold reads nothing else
  }

  readonly blobOf = (name: string): Uint8Array | undefined => this.blobByName.get(name);
}
