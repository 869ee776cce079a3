// The training text of a run that mixes few shards at a time: those that the next windows lie in are here, and the ones after them on their way.
//
//   windows of a step -> shards that they touch -> loaded where missing | windows a while ahead -> loading | others, read longest ago -> forgotten
import { type DataPlan, windowStart } from "#data";
import type { RunSpec } from "#wire";

type ShardRef = RunSpec["data"]["train"][number];

/** Of a group of mixed shards, how far ahead the next ones are asked for. */
const AHEAD_PART = 0.25;

export class LazyTokens {
  readonly #plan: DataPlan;
  readonly #refs: readonly ShardRef[];
  readonly #starts: readonly number[]; // first token of each shard
  readonly #load: (ref: ShardRef) => Promise<Uint16Array>;
  readonly #here = new Map<number, Uint16Array>(); // read longest ago first
  readonly #coming = new Map<number, Promise<void>>();
  readonly #most: number;
  readonly #aheadWindows: number;

  /** @param load from the store or the swarm; goes on until it is here. @throws RangeError for a plan that mixes all */
  constructor(plan: DataPlan, refs: readonly ShardRef[], load: (ref: ShardRef) => Promise<Uint16Array>) {
    if (plan.mixing === undefined) throw new RangeError("all shards are mixed: load them at once");
    const { shards, shardTokens } = plan.mixing;
    let token = 0;
    this.#starts = refs.map(({ tokens }) => {
      token += tokens;
      return token - tokens;
    });
    this.#plan = plan;
    this.#refs = refs;
    this.#load = load;
    this.#most = 3 * shards + 4; // a chunk begins within a shard, so it touches two; and half as many of the group behind
    this.#aheadWindows = Math.ceil((AHEAD_PART * shards * shardTokens) / plan.contextLength);
  }

  /** Shards in memory. */
  get shardsHere(): number {
    return this.#here.size;
  }

  /** @param windows global indices, all of which can be read once this resolves, until the next call */
  async ready(windows: Iterable<number>): Promise<void> {
    const needed = new Set<number>();
    let last = 0;
    for (const index of windows) {
      for (const shard of this.#shardsOf(index)) needed.add(shard);
      last = Math.max(last, index);
    }
    for (const shard of needed) this.#touch(shard);
    this.#forget(needed);
    await Promise.all([...needed].map((shard) => this.#bring(shard)));
    for (const shard of this.#shardsOf(last + this.#aheadWindows))
      if (this.#here.size + this.#coming.size < this.#most) this.#bring(shard).catch(() => {}); // asked for again when it is needed
  }

  /** A copy of ids [start, start + length). RangeError where no `ready` was waited for. */
  windowAt(start: number, length: number): Uint16Array {
    const window = new Uint16Array(length);
    for (let filled = 0, shard = this.#shardAt(start); filled < length; shard++) {
      const ids = this.#here.get(shard);
      if (ids === undefined) throw new RangeError(`token ${start + filled} lies in shard ${shard}, which is not here`);
      const from = start + filled - this.#starts[shard];
      const part = ids.subarray(from, from + length - filled);
      window.set(part, filled);
      filled += part.length;
    }
    return window;
  }

  #shardsOf(index: number): number[] {
    const start = windowStart(this.#plan, index);
    const [first, last] = [this.#shardAt(start), this.#shardAt(start + this.#plan.contextLength)];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }

  /** The last shard that begins at or before that token. */
  #shardAt(token: number): number {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle] <= token) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #touch(shard: number): void {
    const ids = this.#here.get(shard);
    if (ids === undefined) return;
    this.#here.delete(shard);
    this.#here.set(shard, ids);
  }

  #forget(needed: ReadonlySet<number>): void {
    const missing = [...needed].filter((shard) => !this.#here.has(shard)).length;
    for (const shard of this.#here.keys()) {
      if (this.#here.size + missing <= this.#most) return;
      if (!needed.has(shard)) this.#here.delete(shard);
    }
  }

  #bring(shard: number): Promise<void> {
    if (this.#here.has(shard)) return Promise.resolve();
    let coming = this.#coming.get(shard);
    if (coming === undefined) {
      coming = this.#load(this.#refs[shard])
        .then((ids) => void this.#here.set(shard, ids))
        .finally(() => this.#coming.delete(shard));
      this.#coming.set(shard, coming);
    }
    return coming;
  }
}
