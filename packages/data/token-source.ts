// The tokens of one split (training or evaluation): decoded shards, read as if they were one long row.
import { type DataPlan, type RoundPlace, windowIndex, windowStart } from "./assignment.ts";

export class TokenSource {
  readonly length: number; // tokens in all
  private readonly shards: readonly Uint16Array[];
  private readonly starts: readonly number[]; // first token of each shard

  /** Shards in the order of the spec. */
  constructor(shards: readonly Uint16Array[]) {
    const starts: number[] = [];
    let length = 0;
    for (const shard of shards) {
      starts.push(length);
      length += shard.length;
    }
    this.shards = shards;
    this.starts = starts;
    this.length = length;
  }

  /** A copy of ids [start, start + length), across shard boundaries. RangeError outside of the tokens. */
  windowAt(start: number, length: number): Uint16Array {
    if (
      !(
        Number.isInteger(start) &&
        Number.isInteger(length) &&
        start >= 0 &&
        length >= 0 &&
        start + length <= this.length
      )
    )
      throw new RangeError(`tokens ${start} to ${start + length}: there are ${this.length}; check the spec's shards`);
    const window = new Uint16Array(length);
    let shard = this.shardOf(start);
    for (let filled = 0; filled < length; shard++) {
      const from = start + filled - this.starts[shard];
      const part = this.shards[shard].subarray(from, from + length - filled);
      window.set(part, filled);
      filled += part.length;
    }
    return window;
  }

  /** The last shard that begins at or before `start`. */
  private shardOf(start: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.starts[middle] <= start) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/**
 * Ids (count, T+1), row-major, of a peer's sequences firstSequence..firstSequence+count-1 in an inner step: what the engine's step takes.
 * `source` holds the training split, plan.trainTokens long.
 */
export function microbatchIds(
  source: Pick<TokenSource, "windowAt">,
  plan: DataPlan,
  place: RoundPlace,
  {
    innerStep,
    firstSequence,
    count,
  }: { readonly innerStep: number; readonly firstSequence: number; readonly count: number },
): Uint16Array {
  const width = plan.contextLength + 1;
  const ids = new Uint16Array(count * width);
  for (let row = 0; row < count; row++) {
    const start = windowStart(plan, windowIndex(place, innerStep, firstSequence + row));
    ids.set(source.windowAt(start, width), row * width);
  }
  return ids;
}
