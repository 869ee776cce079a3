// The fold of one commit: decode its updates, combine them, take the outer step. Everybody who reads the log arrives at the same bits.
//
//   (anchor, velocity) of round t  +  commit t  +  its blobs   ->   (anchor, velocity) of round t + 1, and its hash
//
// Two passes, one update at a time: the first checks and measures, the second adds. So a fold holds one accumulator, not 32 updates.
import { type EntryOf, isGroup, type PeerId, type RunSpec } from "#wire";
import { codecOf } from "./codec/index.ts";
import { byPeer, type Counted, combineWeights } from "./combine.ts";
import { checked, readerOf } from "./contribution.ts";
import { fragmentsOf } from "./fragment.ts";
import { outerStep } from "./optimizer/index.ts";
import { type OpenedAt, stepsAt } from "./schedule.ts";
import { anchorHashOf, type SharedState } from "./state.ts";

type Commit = EntryOf<"commit">;

/** A contribution whose weight is 0 by rule. */
export interface Refused {
  peer: PeerId;
  reason: string;
}

export interface FoldResult {
  readonly anchorHash: string; // after the commit
  readonly refused: Refused[];
}

/** Applies the commit, and hashes what comes of it. Where the platform can hash, applyCommit and anchorHashBy take a fraction of the time. */
export function foldCommit(...given: Parameters<typeof applyCommit>): FoldResult {
  const refused = applyCommit(...given);
  return { anchorHash: anchorHashOf(given[0]), refused };
}

/**
 * Folds `commit` into `state`, in place. The caller has checked that the state is the commit's base, and has fetched every blob.
 * When all contributions are refused, parameters and velocity stay.
 * @param blob the bytes of that name; asked twice per contribution
 * @param opened how the commit's round was opened, for methods whose learning rate follows the run's schedule
 * @returns contributions whose weight is 0 by rule, sorted by peer: the seal names them
 * @throws Error when a blob is missing or is not the one of its name: then the state is untouched
 */
export function applyCommit(
  state: SharedState,
  spec: RunSpec,
  commit: Commit,
  blob: (hash: string) => Uint8Array | undefined,
  opened?: OpenedAt,
): Refused[] {
  const codec = codecOf(spec).at(commit.round, state.codec);
  const { bytesOf, read } = readerOf(codec, commit, blob);
  const sorted = [...commit.contributors].sort(byPeer);
  const counted: Counted[] = [];
  const refused: Refused[] = [];
  for (const contribution of sorted) {
    const { peer, tokens } = contribution;
    const update = read(contribution, checked(contribution, bytesOf(contribution)));
    if (typeof update === "string") refused.push({ peer, reason: update });
    else if (counted.at(-1)?.peer === peer) refused.push({ peer, reason: "named twice" });
    else {
      const members = isGroup(contribution) ? contribution.members - contribution.refused.length : 1;
      counted.push({ peer, tokens, norm: update.norm(), members });
    }
  }
  if (counted.length === 0) return refused;

  const weightByPeer = combineWeights(counted, {
    assignmentTokens: stepsAt(spec, opened) * spec.inner.windowsPerStep * spec.model.contextLength,
    clipToMedianNorm: spec.outer.clipToMedianNorm,
  });
  const mean = new Float32Array(codec.length);
  for (const contribution of sorted) {
    const weight = weightByPeer.get(contribution.peer);
    if (weight === undefined) continue;
    const update = read(contribution, bytesOf(contribution));
    if (typeof update === "string") continue; // the second of two by one peer
    weightByPeer.delete(contribution.peer); // a peer counts once: the first that was counted
    update.addTo(mean, weight, 0, mean.length);
  }
  codec.advance?.(mean);
  let at = 0;
  for (const { start, end } of fragmentsOf(spec)(commit.round).ranges) {
    outerStep(viewOf(state, start, end), mean.subarray(at, at + end - start), spec, { round: commit.round, opened });
    at += end - start;
  }
  return refused;
}

/** A part of the state, in place. */
const viewOf = ({ parameters, velocity, variance }: SharedState, start: number, end: number): SharedState => ({
  parameters: parameters.subarray(start, end),
  velocity: velocity.subarray(start, end),
  ...(variance && { variance: variance.subarray(start, end) }),
});
