// The run's text on this machine: shards from the browser's store, else through the exchange, checked against the spec, as one row of tokens.
import { type DataPlan, dataPlan, decodeShard, type EvaluationSet, evaluationSet, TokenSource } from "#data";
import { blobName, type RunSpec } from "#wire";
import type { BlobShelf } from "./blob-shelf.ts";
import { LazyTokens } from "./lazy-tokens.ts";

export interface Dataset {
  /** All of it, or what `ready` brought. */
  readonly train: Pick<TokenSource, "windowAt">;
  readonly plan: DataPlan;
  /** Resolves when those windows can be read; undefined: all can. What comes after them is fetched meanwhile. */
  readonly ready?: ((windows: Iterable<number>) => Promise<void>) | undefined;
  /** Loads the held-out shards on first use. */
  evaluation(): Promise<EvaluationSet>;
}

export interface DatasetSources {
  readonly shelf: BlobShelf;
  /** From peers or the host, checked; goes on until it is here. */
  readonly fetch: (name: string, bytes: number) => Promise<Uint8Array>;
}

/** Shards at once: enough to keep several links busy, few enough to keep other requests quick. */
const SHARDS_AT_ONCE = 4;

/**
 * @param onProgress bytes that are here so far, of all training shards
 * @param failed what it rejects with when a shard cannot be used; so does `ready` later
 */
export async function loadDataset(
  spec: RunSpec,
  sources: DatasetSources,
  onProgress: (bytes: number) => void,
  failed: (error: unknown) => Error,
): Promise<Dataset> {
  const { train, evaluation } = spec.data;
  const plan = dataPlan(spec);
  const lazy =
    plan.mixing &&
    new LazyTokens(plan, train, (ref) =>
      loadShard(ref, sources).catch((error: unknown) => Promise.reject(failed(error))),
    );
  let bytesHere = 0;
  const onBytes = (bytes: number): void => {
    bytesHere += bytes;
    onProgress(bytesHere);
  };
  const whole = async (): Promise<TokenSource> => {
    const ids = await loadShards(train, sources, onBytes).catch((error: unknown) => Promise.reject(failed(error)));
    return new TokenSource(ids);
  };
  let evaluationPromise: Promise<EvaluationSet> | undefined;
  const loadEvaluation = async () => {
    const held = new TokenSource(await loadShards(evaluation, sources, () => {}));
    const hashes = evaluation.map(({ hash }) => hash);
    return evaluationSet(held, hashes, { contextLength: spec.model.contextLength, windows: spec.evaluation.windows });
  };
  return {
    train: lazy ?? (await whole()),
    plan,
    ready: lazy && ((windows) => lazy.ready(windows)),
    evaluation() {
      evaluationPromise ??= loadEvaluation().catch((error: unknown) => {
        evaluationPromise = undefined; // the host may be back next time
        throw error;
      });
      return evaluationPromise;
    },
  };
}

type ShardRef = RunSpec["data"]["train"][number];

async function loadShards(
  refs: readonly ShardRef[],
  sources: DatasetSources,
  onBytes: (bytes: number) => void,
): Promise<Uint16Array[]> {
  const ids = new Array<Uint16Array>(refs.length);
  let next = 0;
  const lane = async () => {
    while (next < refs.length) {
      const index = next++;
      ids[index] = await loadShard(refs[index], sources);
      onBytes(refs[index].bytes);
    }
  };
  await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, lane));
  return ids;
}

async function loadShard({ hash, bytes, tokens }: ShardRef, { shelf, fetch }: DatasetSources): Promise<Uint16Array> {
  let shard = await shelf.get(hash);
  if (!shard || blobName(shard) !== hash) {
    if (shard) await shelf.delete(hash); // a store does not write a name twice
    shard = await fetch(hash, bytes);
    await shelf.keep(hash, shard);
  }
  const { ids } = decodeShard(shard);
  if (ids.length !== tokens)
    throw new Error(`shard ${hash.slice(0, 12)} holds ${ids.length} tokens, the spec says ${tokens}`);
  return ids;
}
