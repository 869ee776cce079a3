// Token ids as they come -> shards, one by one, in the blob store: one shard is in memory, however long the text.
import { encodeShard, TOKENS_PER_SHARD } from "#data";
import type { HostBlobs } from "#store/disk";
import { blobName, type DataRef, EVALUATION_SHARDS_MAX, TRAIN_SHARDS_MAX } from "#wire";
import { SpecError } from "./given.ts";

const SHARDS_MAX = { train: TRAIN_SHARDS_MAX, evaluation: EVALUATION_SHARDS_MAX };

export class ShardWriter {
  readonly #blobs: Pick<HostBlobs, "put">;
  readonly #split: keyof typeof SHARDS_MAX;
  readonly #vocabSize: number;
  readonly #ids: Uint16Array;
  readonly #refs: DataRef["train"] = [];
  #filled = 0;
  #tokens = 0;

  constructor(
    blobs: Pick<HostBlobs, "put">,
    split: keyof typeof SHARDS_MAX,
    vocabSize: number,
    tokensPerShard = TOKENS_PER_SHARD,
  ) {
    this.#blobs = blobs;
    this.#split = split;
    this.#vocabSize = vocabSize;
    this.#ids = new Uint16Array(tokensPerShard);
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** @throws SpecError when there are more tokens than a spec can name */
  async write(ids: Uint16Array): Promise<void> {
    for (let at = 0; at < ids.length; ) {
      const part = ids.subarray(at, at + this.#ids.length - this.#filled);
      this.#ids.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#ids.length) await this.#store();
    }
    this.#tokens += ids.length;
  }

  /** What was written, in its order. */
  async end(): Promise<DataRef["train"]> {
    if (this.#filled > 0) await this.#store();
    return this.#refs;
  }

  async #store(): Promise<void> {
    const most = SHARDS_MAX[this.#split];
    if (this.#refs.length === most)
      throw new SpecError(
        `corpus: the ${this.#split} part has more than ${most} shards of ${this.#ids.length} tokens, the most that a spec names. ${
          this.#split === "evaluation" ? "Make corpus.evaluationPart smaller" : "Make corpus.tokensPerShard larger"
        }, or give less text.`,
      );
    const shard = encodeShard({ vocabSize: this.#vocabSize, ids: this.#ids.subarray(0, this.#filled) });
    const hash = blobName(shard);
    await this.#blobs.put(hash, shard);
    this.#refs.push({ hash, bytes: shard.length, tokens: this.#filled });
    this.#filled = 0;
  }
}
