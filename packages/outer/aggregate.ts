// The aggregate of a group: one update made of its members' updates, the same bits on every machine. [R27]
//
//   weights as in a commit (combine.ts: tokens, at most twice the group's median; norms clipped to the group's median), then
//   aggregate = encode(Σ weight_i · decoded_i), with tokens = Σ tokens_i that count, rounded down each
//
// A member's update that does not decode has weight 0, as in a commit, and the group's attest names it.
import { blobName, type PeerId, type RunSpec } from "#wire";
import { assert } from "./assert.ts";
import { codecOf, type Decoded } from "./codec/index.ts";
import { byPeer, type Counted, combineWeights, countedTokens } from "./combine.ts";
import { encodeUpdate, readUpdate } from "./update.ts";

/** An update's header counts tokens in 32 bits. */
const TOKENS_MAX = 0xffff_ffff;

export interface GroupMember {
  readonly peer: PeerId;
  readonly update: string;
  readonly tokens: number; // as its offer says
}

export interface Aggregate {
  readonly update: Uint8Array;
  readonly tokens: number;
  readonly refused: PeerId[]; // sorted
}

/**
 * @param blob the bytes of that name; asked twice per member
 * @returns undefined when no member's update counts, and when what they come to is too large to encode: then nobody has an aggregate
 * @throws Error when a blob is missing or is not the one of its name
 */
export function aggregateUpdates(
  spec: RunSpec,
  { round, baseHash, members }: { round: number; baseHash: string; members: readonly GroupMember[] },
  blob: (hash: string) => Uint8Array | undefined,
): Aggregate | undefined {
  const codec = codecOf(spec).at(round);
  assert(codec.sums, "groups form only where a codec's bodies can be summed into one");
  const read = ({ update: name, peer, tokens }: GroupMember): Decoded | string => {
    const bytes = blob(name);
    if (bytes === undefined) throw new Error(`blob ${name} of peer ${peer} is not here: fetch it before aggregating`);
    assert(blobName(bytes) === name, `the bytes given for blob ${name} are not its own`);
    return readUpdate(bytes, { round, baseHash, tokens, codec });
  };
  const sorted = [...members].sort(byPeer);
  const counted: Counted[] = [];
  const refused: PeerId[] = [];
  for (const member of sorted) {
    const update = read(member);
    if (typeof update === "string") refused.push(member.peer);
    else counted.push({ peer: member.peer, tokens: member.tokens, norm: update.norm() });
  }
  if (counted.length === 0) return undefined;
  const { steps, windowsPerStep } = spec.inner;
  const assignmentTokens = steps * windowsPerStep * spec.model.contextLength;
  const weightByPeer = combineWeights(counted, { assignmentTokens, clipToMedianNorm: spec.outer.clipToMedianNorm });
  const tokens = countedTokens(counted, assignmentTokens).reduce((sum, value) => sum + Math.floor(value), 0);
  const delta = new Float32Array(codec.length);
  for (const member of sorted) {
    const weight = weightByPeer.get(member.peer);
    const update = weight === undefined ? "" : read(member);
    if (weight !== undefined && typeof update !== "string") update.addTo(delta, weight, 0, codec.length);
  }
  const sum = Math.min(TOKENS_MAX, Math.max(1, tokens));
  try {
    return { update: encodeUpdate({ round, baseHash, tokens: sum, delta, codec }), tokens: sum, refused };
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a member's doing, not a fault of ours
    throw error;
  }
}
