// `gossamer replay`: reads a stored run's log, folds it again from the oldest retained state, and compares every sealed anchor.
//
//   DATA/runs/<id>/{spec.json, log} + blobs -> same anchors? -> (with eval) the last evaluation, on the CPU reference
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { decodeShard, type EvaluationSet, evaluationSet, TokenSource } from "#data";
import { lossOnly } from "#engine/reference";
import { BaseError } from "#outer";
import type { BlobStore } from "#store";
import { DataError, DiskBlobStore, logWrittenAt, readFileIfThere, readLog, verifyNatively } from "#store/disk";
import {
  blobName,
  decodeManifest,
  type EntryOf,
  isGroup,
  type LogEntry,
  type RunSpec,
  runIdOf,
  type SignedOffer,
  specSchema,
  verifyOffer,
} from "#wire";
import { wholeModel } from "../host/whole-model.ts";
import { BlobLostError, DivergenceError, Witness } from "../host/witness.ts";
import { exportFault, openExported } from "./export/check.ts";

/** Largest difference, in nats per token, between a peer's GPU and the f32 reference that counts as agreement. */
const EVAL_TOLERANCE = 0.02;

export interface ReplayOptions {
  readonly data: string;
  /** A run's id; undefined takes the one whose log was written last. */
  readonly run?: string | undefined;
  readonly eval: boolean;
  /** A folder that `gossamer export` wrote: is it what the log folds to? */
  readonly export?: string | undefined;
}

export interface ReplayReport {
  readonly run: string;
  readonly name: string;
  readonly entries: number;
  readonly fromRound: number; // 0: genesis
  readonly rounds: number;
  /** Contributions whose volunteer signed just that: round, base, update, tokens. */
  readonly signed: number;
  readonly folded: number; // commits that were folded and arrived at their sealed hash
  readonly anchorHash: string;
  readonly ok: boolean;
  /** What did not agree; null when all did. */
  readonly fault: string | null;
  readonly evaluation: {
    readonly round: number;
    readonly windows: number;
    readonly recorded: number; // nats per token, as the log says
    readonly recomputed: number;
    readonly difference: number;
  } | null;
  /** The exported folder that was held against the fold; null: none was asked for. */
  readonly exported: { readonly folder: string; readonly round: number } | null;
}

/** The run of that id, or the newest by its log. @throws DataError when there is none */
export async function runFolder(data: string, run: string | undefined): Promise<string> {
  const folder = join(data, "runs");
  const stored = await readdir(folder).catch(() => [] as string[]);
  const ids = stored.filter((id) => run === undefined || id === run);
  const times = await Promise.all(ids.map(async (id) => (await logWrittenAt(join(folder, id))) ?? 0));
  const newest = ids[times.indexOf(Math.max(...times))];
  if (newest === undefined && stored.length > 0)
    throw new DataError(`${data} holds no run ${run}. Its runs are ${stored.join(", ")}.`);
  if (newest === undefined) throw new DataError(`${data} holds no run. Give the host's data directory with --data.`);
  return join(folder, newest);
}

export async function readSpec(folder: string): Promise<RunSpec> {
  const content = await readFileIfThere(join(folder, "spec.json"));
  const parsed = specSchema.safeParse(content === undefined ? undefined : JSON.parse(content.toString()));
  if (!parsed.success) throw new DataError(`${folder} holds no valid spec.json. Restore it from a backup.`);
  return parsed.data;
}

/** Reads alone: a host may go on writing meanwhile. @throws DataError when the log itself is damaged */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const folder = await runFolder(options.data, options.run);
  const spec = await readSpec(folder);
  const run = runIdOf(spec);
  const { entries } = await readLog(folder, run, spec.hostKey);
  const blobs = await DiskBlobStore.open(options.data);
  const witness = new Witness(spec, blobs);
  const exported = options.export === undefined ? undefined : await openExported(options.export, spec);
  const offers = await checkOffers(run, entries, blobs);
  const head = { run, name: spec.name, entries: entries.length, signed: offers.signed };
  try {
    if (offers.fault !== undefined) throw new DivergenceError(offers.fault);
    const until = options.eval ? lastEvaluation(entries) : undefined;
    let evaluation: ReplayReport["evaluation"] = null;
    let exportSeen: string | undefined = "it is of a round before what can be folded again, or after the log's end";
    const started = await witness.start(entries, "oldest", async (round, parameters) => {
      if (until?.round === round) evaluation = await evaluate(spec, blobs, until, parameters);
      if (exported?.provenance.round === round)
        exportSeen = await exportFault(exported, { spec, entries, blobs, shared: parameters });
    });
    const seen = evaluation as ReplayReport["evaluation"]; // assigned in the callback
    const apart = seen !== null && Math.abs(seen.difference) > EVAL_TOLERANCE;
    const wrong = exported === undefined || exportSeen === undefined ? null : `${exported.folder}: ${exportSeen}`;
    const fault = apart ? `the evaluation of round ${seen.round} is off by ${seen.difference.toFixed(4)}` : wrong;
    const { fromRound, round, verified, anchorHash } = started;
    return {
      ...head,
      fromRound,
      rounds: round,
      folded: verified,
      anchorHash,
      ok: fault === null,
      fault,
      evaluation: seen,
      exported: exported === undefined ? null : { folder: exported.folder, round: exported.provenance.round },
    };
  } catch (error) {
    if (!(error instanceof DivergenceError || error instanceof BlobLostError)) throw error;
    return {
      ...head,
      fromRound: 0,
      rounds: 0,
      folded: 0,
      anchorHash: "",
      ok: false,
      fault: error.message,
      evaluation: null,
      exported: null,
    };
  }
}

/** Everybody who is behind a commit, the members of groups too. @throws BlobLostError */
async function offersOf(commit: EntryOf<"commit">, blobs: BlobStore): Promise<SignedOffer[]> {
  const offers: SignedOffer[] = [];
  for (const contribution of commit.contributors) {
    if (!isGroup(contribution)) {
      offers.push(contribution);
      continue;
    }
    const { manifest, members } = contribution;
    const bytes = await blobs.get(manifest);
    const listed = bytes !== undefined && blobName(bytes) === manifest ? decodeManifest(bytes) : undefined;
    if (listed?.length !== members)
      throw new BlobLostError(`manifest ${manifest} of round ${commit.round} is not stored`);
    offers.push(...listed);
  }
  return offers;
}

/** A host cannot put words into a volunteer's mouth: whatever a commit names, the one who gets the credit has signed. */
async function checkOffers(
  run: string,
  entries: readonly LogEntry[],
  blobs: BlobStore,
): Promise<{ signed: number; fault?: string }> {
  let signed = 0;
  for (const entry of entries) {
    if (entry.type !== "commit") continue;
    for (const offer of await offersOf(entry, blobs)) {
      if (!verifyOffer(run, offer, verifyNatively))
        return {
          signed,
          fault: `round ${entry.round} (entry ${entry.seq}): peer ${offer.peer} did not sign this offer`,
        };
      signed++;
    }
  }
  return { signed };
}

const lastEvaluation = (entries: readonly LogEntry[]): EntryOf<"eval"> | undefined =>
  entries.findLast((entry) => entry.type === "eval");

/** The windows that peers evaluate, from the stored shards. @throws BlobLostError */
export const readEvaluationSet = (spec: RunSpec, blobs: BlobStore): Promise<EvaluationSet> =>
  evaluationSetOf(spec, async ({ hash }) => {
    const bytes = await blobs.get(hash);
    if (bytes === undefined) throw new BlobLostError(`evaluation shard ${hash} is not stored`);
    return bytes;
  });

/** @param windows how many of the held-out text; default: as many as the spec says, which peers evaluate */
export async function evaluationSetOf(
  spec: RunSpec,
  read: (ref: RunSpec["data"]["evaluation"][number]) => Promise<Uint8Array>,
  windows = spec.evaluation.windows,
): Promise<EvaluationSet> {
  const { evaluation } = spec.data;
  const shards = await Promise.all(evaluation.map(async (ref) => decodeShard(await read(ref)).ids));
  const hashes = evaluation.map(({ hash }) => hash);
  return evaluationSet(new TokenSource(shards), hashes, { contextLength: spec.model.contextLength, windows });
}

/** On the readable reference in f32. */
async function evaluate(
  spec: RunSpec,
  blobs: BlobStore,
  recorded: EntryOf<"eval">,
  parameters: Float32Array,
): Promise<ReplayReport["evaluation"]> {
  const set = await readEvaluationSet(spec, blobs);
  if (set.setHash !== recorded.setHash)
    throw new DivergenceError(
      `the evaluation of round ${recorded.round} is of set ${recorded.setHash}, the spec's is ${set.setHash}`,
    );
  const weights = await wholeModel(spec, blobs, parameters).catch((error: unknown) => {
    throw error instanceof BaseError ? new BlobLostError(error.message) : error;
  });
  let sum = 0;
  for (const window of set.windows) sum += lossOnly(spec.model, weights, window, 1);
  const recomputed = sum / set.windows.length;
  const difference = recomputed - recorded.loss;
  return { round: recorded.round, windows: set.windows.length, recorded: recorded.loss, recomputed, difference };
}

export function replayLines(report: ReplayReport): string[] {
  const { run, name, entries, signed, fromRound, rounds, folded, anchorHash, ok, fault, evaluation, exported } = report;
  const lines = [
    `run         ${name} (${run})`,
    `log         ${entries} entries, chain and the host's signatures good`,
    `offers      ${signed} contributions, signed by their volunteers`,
    `folded      ${folded} commits, from ${fromRound === 0 ? "genesis" : `the checkpoint of round ${fromRound}`} to round ${rounds}`,
    `anchor      ${anchorHash === "" ? "—" : anchorHash}`,
  ];
  if (evaluation !== null)
    lines.push(
      `evaluation  round ${evaluation.round}, ${evaluation.windows} windows: log ${evaluation.recorded.toFixed(4)}, reference ${evaluation.recomputed.toFixed(4)} nats per token, difference ${evaluation.difference.toFixed(4)}`,
    );
  if (exported !== null && ok)
    lines.push(`export      ${exported.folder} is the fold of round ${exported.round}, byte for byte`);
  lines.push(ok ? "OK          every sealed anchor is what its updates fold to" : `MISMATCH    ${fault}`);
  return lines;
}
