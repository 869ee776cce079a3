// The run's log: hash-chained entries, signed by the host's key, read from the oldest retained checkpoint by everybody.
//
//   hash(entry) = SHA-256 of the canonical JSON of the entry without its signature;  prevHash of entry 0 is the run's id
//
// An `open` supersedes an earlier `open` of the same round that no commit has answered (its roster left).
import { z } from "zod";
import { type Identity, peerIdSchema, sign, signatureSchema, verify } from "./identity.ts";
import { canonicalBytes, hashHex, hashSchema, type RunId } from "./spec.ts";

export const LOG_VERSION = 1;

/** A round names at most 32 contributors; a roster may be larger (1,024 keeps an `open` below 70 kB). */
export const CONTRIBUTORS_MAX = 32;
export const ROSTER_MAX = 1024;

const round = z.int().min(0).max(10_000_000);
const finite = z.number().finite();
export const blobBytesSchema = z
  .int()
  .positive()
  .max(4 * 2 ** 30);

/** What a peer signs (purpose "gossamer offer v1", together with the run's id). */
export const offerSchema = z.strictObject({
  round,
  openSeq: z.int().min(0), // the `open` entry that it answers
  baseHash: hashSchema,
  peer: peerIdSchema,
  update: hashSchema, //      name of the blob
  bytes: blobBytesSchema,
  tokens: z.int().min(1),
  steps: z.int().min(1).max(10_000),
  loss: finite, //            mean training loss over the round, nats per token
});
export type Offer = z.infer<typeof offerSchema>;

export const signedOfferSchema = z.strictObject({ ...offerSchema.shape, signature: signatureSchema });
export type SignedOffer = z.infer<typeof signedOfferSchema>;
/** An offer that a commit names: kept whole, so that an auditor can check the signature. */
export type Contribution = SignedOffer;

export const blobRefSchema = z.strictObject({
  name: z.string().min(1).max(80),
  hash: hashSchema,
  bytes: blobBytesSchema,
});
export type BlobRef = z.infer<typeof blobRefSchema>;

const head = {
  version: z.literal(LOG_VERSION),
  seq: z.int().min(0),
  prevHash: hashSchema,
  time: z.int().min(0), // wall clock of the host, ms since 1970: for display only, nothing decides by it
};
const reason = z.string().min(1).max(400);
export const refusedSchema = z.array(z.strictObject({ peer: peerIdSchema, reason })).max(CONTRIBUTORS_MAX);
export const checkpointBlobsSchema = z.array(blobRefSchema).min(1).max(16);

const bodies = {
  /** Who takes part, from which anchor; cursor = windows assigned before this round, tokensBefore = tokens committed before it. */
  open: {
    round,
    roster: z.array(peerIdSchema).min(1).max(ROSTER_MAX),
    baseHash: hashSchema,
    cursor: z.int().min(0),
    tokensBefore: z.int().min(0),
    deadlineMs: z.int().min(1),
  },
  /** Which updates count, sorted by peer id: final. */
  commit: {
    round,
    openSeq: z.int().min(0),
    baseHash: hashSchema,
    contributors: z.array(signedOfferSchema).min(1).max(CONTRIBUTORS_MAX),
  },
  /** What the fold of that commit is; refused: contributions with weight 0 by rule, and why. */
  seal: {
    round,
    anchorHash: hashSchema,
    attesters: z.array(peerIdSchema).max(ROSTER_MAX),
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
/** An entry before the sequencer gives it its place in the chain. */
export type EntryBody = UnsignedEntry extends infer E
  ? E extends UnsignedEntry
    ? Omit<E, "version" | "seq" | "prevHash" | "time">
    : never
  : never;

const signed = <T extends keyof typeof bodies>(type: T) =>
  z.strictObject({ ...head, type: z.literal(type), ...bodies[type], signature: signatureSchema });
export const logEntrySchema = z.discriminatedUnion("type", [
  signed("open"),
  signed("commit"),
  signed("seal"),
  signed("void"),
  signed("eval"),
  signed("checkpoint"),
  signed("end"),
]);

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
    version: LOG_VERSION,
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
