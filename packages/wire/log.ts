// The run's log: hash-chained entries, signed by the host's key, read from the oldest retained checkpoint by everybody.
//
//   hash(entry) = SHA-256 of the canonical JSON of the entry without its signature;  prevHash of entry 0 is the run's id
//
// An `open` supersedes an earlier `open` of the same round that no commit has answered (its roster left).
import * as z from "zod/mini";
import { hashSchema } from "./hash.ts";
import { type Identity, type PeerId, peerIdSchema, sign, signatureSchema, verify } from "./identity.ts";
import { openIslandsSchema } from "./islands-schema.ts";
import { canonicalBytes, hashHex, type RunId } from "./spec.ts";

/**
 * 2: an `open` may name its roster by a blob, a seal count its attesters, a commit name groups. 3: an `open` may list islands. An entry has the oldest
 * version that can say it.
 */
export const LOG_VERSION = 3;

/** A round names at most 32 contributors, and a group has at most 32 members: what a peer downloads is bounded. */
export const CONTRIBUTORS_MAX = 32;
/** A roster of 2^14 peers is a blob of 540 kB, which the host alone reads. */
export const ROSTER_MAX = 16_384;
/** A larger roster is named by its blob, so that an `open` stays below 3 kB. */
export const ROSTER_LISTED_MAX = 32;
/** More attesters are counted, and so many of them drawn: enough that one is there to evaluate. */
export const ATTESTERS_LISTED_MAX = 8;
/** What entries of version 1 may list. */
const LISTED_BEFORE_MAX = 1024;

const round = z.int().check(z.minimum(0), z.maximum(10_000_000));
const finite = z.number();
export const blobBytesSchema = z.int().check(z.positive(), z.maximum(4 * 2 ** 30));

/** What a peer signs (purpose "gossamer offer v1", together with the run's id). */
export const offerSchema = z.strictObject({
  round,
  openSeq: z.int().check(z.minimum(0)), // the `open` entry that it answers
  baseHash: hashSchema,
  peer: peerIdSchema,
  update: hashSchema, //      name of the blob
  bytes: blobBytesSchema,
  tokens: z.int().check(z.minimum(1)),
  steps: z.int().check(z.minimum(1), z.maximum(10_000)),
  loss: finite, //            mean training loss over the round, nats per token
});
export type Offer = z.infer<typeof offerSchema>;

export const signedOfferSchema = z.strictObject({ ...offerSchema.shape, signature: signatureSchema });
export type SignedOffer = z.infer<typeof signedOfferSchema>;

/** Many offers as one: an update made of their updates, which a majority of the group has computed alike. [R27] */
export const groupContributionSchema = z.strictObject({
  peer: peerIdSchema, //      one of its members that has the aggregate; the group's name
  update: hashSchema, //      the aggregate
  bytes: blobBytesSchema,
  tokens: z.int().check(z.minimum(1)), //  that count, of all members
  loss: finite, //            weighted by tokens
  members: z.int().check(z.minimum(2), z.maximum(CONTRIBUTORS_MAX)),
  attesters: z.int().check(z.minimum(2), z.maximum(CONTRIBUTORS_MAX)),
  manifest: hashSchema, //    blob with the signed offers of all members (asides.ts)
  refused: z.array(peerIdSchema).check(z.maxLength(CONTRIBUTORS_MAX)), // members whose updates count for nothing, sorted
});
export type GroupContribution = z.infer<typeof groupContributionSchema>;

/** What a commit names: an offer, kept whole so that an auditor can check the signature, or a group of them. */
export const contributionSchema = z.union([signedOfferSchema, groupContributionSchema]);
export type Contribution = z.infer<typeof contributionSchema>;
export const isGroup = (contribution: Contribution): contribution is GroupContribution => "manifest" in contribution;

export const blobRefSchema = z.strictObject({
  name: z.string().check(z.minLength(1), z.maxLength(80)),
  hash: hashSchema,
  bytes: blobBytesSchema,
});
export type BlobRef = z.infer<typeof blobRefSchema>;

const head = {
  version: z.union([z.literal(1), z.literal(2), z.literal(LOG_VERSION)]),
  seq: z.int().check(z.minimum(0)),
  prevHash: hashSchema,
  time: z.int().check(z.minimum(0)), // wall clock of the host, ms since 1970: for display only, nothing decides by it
};
const reason = z.string().check(z.minLength(1), z.maxLength(400));
export const refusedSchema = z
  .array(z.strictObject({ peer: peerIdSchema, reason }))
  .check(z.maxLength(CONTRIBUTORS_MAX));
export const checkpointBlobsSchema = z.array(blobRefSchema).check(z.minLength(1), z.maxLength(16));

const bodies = {
  /** Who takes part, from which anchor; cursor = windows assigned before this round, tokensBefore = tokens committed before it. */
  open: {
    round,
    roster: z.union([
      z.array(peerIdSchema).check(z.minLength(1), z.maxLength(LISTED_BEFORE_MAX)),
      z.strictObject({ size: z.int().check(z.minimum(1), z.maximum(ROSTER_MAX)), blob: hashSchema }), // see asides.ts
    ]),
    baseHash: hashSchema,
    cursor: z.int().check(z.minimum(0)),
    tokensBefore: z.int().check(z.minimum(0)),
    deadlineMs: z.int().check(z.minimum(1)),
    /** Rostered peers that are islands: by leader; members by rank, the leader first. [R55] */
    islands: z.optional(openIslandsSchema),
  },
  /** Which updates count, sorted by peer id: final. */
  commit: {
    round,
    openSeq: z.int().check(z.minimum(0)),
    baseHash: hashSchema,
    contributors: z.array(contributionSchema).check(z.minLength(1), z.maxLength(CONTRIBUTORS_MAX)),
  },
  /** What the fold of that commit is; refused: contributions with weight 0 by rule, and why. */
  seal: {
    round,
    anchorHash: hashSchema,
    attesters: z.union([
      z.array(peerIdSchema).check(z.maxLength(LISTED_BEFORE_MAX)),
      z.strictObject({
        count: z.int().check(z.minimum(1), z.maximum(ROSTER_MAX)),
        sample: z.array(peerIdSchema).check(z.minLength(1), z.maxLength(ATTESTERS_LISTED_MAX)),
      }),
    ]),
    refused: refusedSchema,
  },
  void: { round, reason },
  /** round: the anchor after that many rounds; setHash names the slice; peer "host" when the host's witness measured it. */
  eval: { round, anchorHash: hashSchema, setHash: hashSchema, loss: finite, peer: peerIdSchema },
  checkpoint: { round, anchorHash: hashSchema, blobs: checkpointBlobsSchema },
  end: { reason },
} as const;

const entry = <T extends keyof typeof bodies>(type: T) =>
  z.strictObject({ ...head, type: z.literal(type), ...bodies[type] });
export const unsignedEntrySchema = z.discriminatedUnion("type", [
  entry("open"),
  entry("commit"),
  entry("seal"),
  entry("void"),
  entry("eval"),
  entry("checkpoint"),
  entry("end"),
]);
export type UnsignedEntry = z.infer<typeof unsignedEntrySchema>;
export type LogEntry = UnsignedEntry & { readonly signature: string };
export type EntryOf<T extends LogEntry["type"]> = Extract<LogEntry, { type: T }>;
/** The blobs that an entry names: updates, what is too long for the log, checkpoints. */
export function blobsNamedBy(entry: LogEntry): string[] {
  switch (entry.type) {
    case "open":
      return "blob" in entry.roster ? [entry.roster.blob] : [];
    case "commit":
      return entry.contributors.flatMap((each) => (isGroup(each) ? [each.update, each.manifest] : [each.update]));
    case "checkpoint":
      return entry.blobs.map(({ hash }) => hash);
    default:
      return [];
  }
}
/** What a commit names one by one. */
export const offersIn = (commit: EntryOf<"commit">): SignedOffer[] =>
  commit.contributors.filter((contribution): contribution is SignedOffer => !isGroup(contribution));
export type Roster = EntryOf<"open">["roster"];
/** Whom an offer is credited to: its peer, or an island's members in equal parts, by rank; the leader has what is left over. [R55] */
export function creditedTo(
  { islands = [] }: Pick<EntryOf<"open">, "islands">,
  { peer, tokens }: Pick<Offer, "peer" | "tokens">,
): { peer: PeerId; tokens: number }[] {
  const members = islands.find(({ leader }) => leader === peer)?.members ?? [peer];
  const each = Math.floor(tokens / members.length);
  return members.map((member, rank) => ({
    peer: member,
    tokens: rank === 0 ? tokens - each * (members.length - 1) : each,
  }));
}
export type Attesters = EntryOf<"seal">["attesters"];
export const sizeOfRoster = (roster: Roster): number => ("size" in roster ? roster.size : roster.length);
export const countOfAttesters = (attesters: Attesters): number =>
  "count" in attesters ? attesters.count : attesters.length;
export const sampleOfAttesters = (attesters: Attesters): readonly string[] =>
  "sample" in attesters ? attesters.sample : attesters;
/** An entry before the sequencer gives it its place in the chain. */
export type EntryBody = UnsignedEntry extends infer E
  ? E extends UnsignedEntry
    ? Omit<E, "version" | "seq" | "prevHash" | "time">
    : never
  : never;

const signed = <T extends keyof typeof bodies>(type: T) =>
  z.strictObject({ ...head, type: z.literal(type), ...bodies[type], signature: signatureSchema });
export const logEntrySchema = z
  .discriminatedUnion("type", [
    signed("open"),
    signed("commit"),
    signed("seal"),
    signed("void"),
    signed("eval"),
    signed("checkpoint"),
    signed("end"),
  ])
  .check(
    z.refine((entry) => versionOf(entry) <= entry.version, {
      path: ["version"],
      error: "this version has no such form",
    }),
  );

/** The oldest version that can say this: what reads it need not know more. */
export function versionOf(body: EntryBody): 1 | 2 | typeof LOG_VERSION {
  switch (body.type) {
    case "open":
      return body.islands !== undefined ? LOG_VERSION : "size" in body.roster ? 2 : 1;
    case "commit":
      return body.contributors.some(isGroup) ? 2 : 1;
    case "seal":
      return "count" in body.attesters ? 2 : 1;
    default:
      return 1;
  }
}

export function entryHash(entry: LogEntry): string {
  const { signature: _, ...unsigned } = entry;
  return hashHex(canonicalBytes(unsigned));
}

/** Chains, stamps and signs the next entry. `time` is wall-clock ms, for display. */
export function signEntry(
  host: Identity,
  run: RunId,
  previous: LogEntry | undefined,
  time: number,
  body: EntryBody,
): LogEntry {
  const unsigned = {
    version: versionOf(body),
    seq: previous ? previous.seq + 1 : 0,
    prevHash: previous ? entryHash(previous) : run,
    time,
    ...body,
  } as UnsignedEntry;
  return { ...unsigned, signature: sign(host, "gossamer entry v1", hashHex(canonicalBytes(unsigned))) };
}

/**
 * Why `entry` may not follow `previous`, or undefined when it may. Schema first (logEntrySchema), then this.
 * @param check another implementation of the same check
 */
export function chainFault(
  run: RunId,
  hostKey: string,
  previous: LogEntry | undefined,
  entry: LogEntry,
  check: typeof verify = verify,
): string | undefined {
  const seq = previous ? previous.seq + 1 : 0;
  if (entry.seq !== seq) return `entry ${entry.seq} where ${seq} belongs`;
  if (entry.prevHash !== (previous ? entryHash(previous) : run))
    return `entry ${seq} does not name its predecessor's hash`;
  if (!entryIsSigned(hostKey, entry, check)) return `entry ${seq} is not signed by the host's key`;
  return undefined;
}

/** Two such entries of one seq prove that the host has signed two histories. */
export const entryIsSigned = (hostKey: string, entry: LogEntry, check: typeof verify = verify): boolean =>
  check(hostKey, "gossamer entry v1", entryHash(entry), entry.signature);

export const signOffer = (identity: Identity, run: RunId, offer: Offer): SignedOffer => ({
  ...offer,
  signature: sign(identity, "gossamer offer v1", [run, offer]),
});

/** @param check another implementation of the same check */
export function verifyOffer(run: RunId, { signature, ...offer }: SignedOffer, check: typeof verify = verify): boolean {
  return check(offer.peer.slice(0, 64), "gossamer offer v1", [run, offer], signature);
}
