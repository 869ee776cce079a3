// The host's public API as the page and scripts read it (JSON over HTTP, and the same documents as server-sent events).
//
//   GET /api/runs/:id/events     event "run": RunDetail, at most twice a second;  event "entry": LogEntry, as it is appended;
//                                event "rounds": RoundTimes of what moved since;  event "overview": Overview, every two seconds
//   GET /api/network             NetworkOffer
import * as z from "zod/mini";
import { hashSchema } from "./hash.ts";
import { peerIdSchema } from "./identity.ts";
import { islandIdSchema, islandMembersSchema, islandPlanSchema } from "./islands-schema.ts";
import { checkpointBlobsSchema } from "./log.ts";
import { adapterSchema, linkReportSchema } from "./messages.ts";
import { PROMPTS_MAX, specSchema } from "./spec.ts";

export const API_VERSION = 1;
/** Peers in one page of RunDetail, and churn events kept: what a screen shows, and 200 rows are 100 kB. */
export const PEERS_PAGE = 200;
export const CHURN_PAGE = 200;

/** What a host offers to those who would link up, before they are anybody: no credentials, and no addresses but its own. */
export const networkOfferSchema = z.object({
  stun: z.nullable(z.string()), // its address; null: none
  turn: z.boolean(), //           the operator names a TURN server
  relay: z.boolean(), //          the host relays what finds no other way
  /** Neither now: this month's allowance for it is used up. */
  overCap: z.optional(z.boolean()),
});
export type NetworkOffer = z.infer<typeof networkOfferSchema>;

export const runStates = ["running", "resting", "paused", "ended"] as const;
/** connected, not yet at the anchor | ready for the next open | in this round's roster | offered | paused | gone (kept for credit) */
export const peerStates = ["joining", "ready", "training", "offered", "paused", "left"] as const;

export const runSummarySchema = z.object({
  id: hashSchema,
  name: z.string(),
  state: z.enum(runStates),
  round: z.int(), //            rounds sealed
  peers: z.int(), //            connected now
  tokens: z.number(), //        committed so far
});
export type RunSummary = z.infer<typeof runSummarySchema>;

export const peerRowSchema = z.object({
  id: peerIdSchema,
  name: z.string(),
  state: z.enum(peerStates),
  adapter: z.nullable(adapterSchema),
  tokens: z.number(), //        committed
  rounds: z.int(), //           commits that name this peer
  refused: z.int(), //          offers or contributions refused
  loss: z.nullable(z.number()), //  newest training loss
  step: z.int(), //             inner step in this round
  tokensPerSecond: z.number(),
  bytesSent: z.number(), //     to peers, over links
  bytesReceived: z.number(),
  bytesRelayed: z.number(), //  through the host, for want of a link
  bytesFromHost: z.number(),
  bytesToHost: z.number(),
  links: z.array(linkReportSchema),
});
export type PeerRow = z.infer<typeof peerRowSchema>;

export const churnRowSchema = z.object({
  time: z.int(), //             wall clock, ms since 1970
  kind: z.enum(["joined", "left", "crashed", "paused", "resumed", "refused"]),
  peer: peerIdSchema,
  name: z.string(),
  reason: z.string(),
});
export type ChurnRow = z.infer<typeof churnRowSchema>;

export const runDetailSchema = z.object({
  ...runSummarySchema.shape,
  apiVersion: z.literal(API_VERSION),
  peersAwaited: z.int(), //     so many more must be ready before the first round opens
  build: z.string(),
  phase: z.enum(["waiting", "training", "folding", "ended"]), //  waiting: nobody in the roster
  roster: z.array(peerIdSchema),
  offered: z.array(peerIdSchema),
  /** Those that stand: tabs that hold one model among them. Hosts before islands say nothing of them. */
  islands: z.optional(
    z.array(
      z.object({
        island: islandIdSchema,
        leader: peerIdSchema, //  the one of them that is in rosters
        members: islandMembersSchema, // by rank, the leader first
        plan: islandPlanSchema,
        since: z.int(), //        rounds that were sealed when it was formed
        stepMs: z.optional(z.number()), //  predicted, of a step, where all members said how fast they compute
      }),
    ),
  ),
  spec: specSchema,
  head: z.object({
    round: z.int(),
    anchorHash: hashSchema,
    trainLoss: z.nullable(z.number()),
    evalLoss: z.nullable(z.number()), // nats per token; what else it says, once there is one:
    perplexity: z.optional(z.number()),
    bitsPerByte: z.optional(z.number()),
    tokens: z.number(),
    seq: z.int(), //             last log entry, -1: none
  }),
  peers: z.array(peerRowSchema),
  peersTotal: z.int(),
  churn: z.array(churnRowSchema), // newest last
  /** Bytes since this host started, also of peers who left: between peers by way, each counted once; to and from the host. */
  traffic: z.object({
    direct: z.number(),
    turn: z.number(),
    relayed: z.number(), //      through the host, for want of a link
    fromHost: z.number(),
    toHost: z.number(),
  }),
  updateBytesServed: z.number(), //  update bytes that the host sent to peers
  endReason: z.nullable(z.string()),
});
export type RunDetail = z.infer<typeof runDetailSchema>;

/** GET /api/runs/:id/series?metric=trainLoss&points=500: x is the round, tokens the running total at it. */
export const seriesMetrics = [
  "trainLoss",
  "evalLoss",
  "tokensPerSecond",
  "contributors",
  "updateBytes",
  "roster", //                  peers that the round's open names
  "roundMs", //                 from open to seal
] as const;
export const seriesSchema = z.object({
  metric: z.enum(seriesMetrics),
  points: z.array(z.object({ round: z.int(), tokens: z.number(), time: z.int(), value: z.number() })),
});
export type Series = z.infer<typeof seriesSchema>;

/** Peers whose part in one round is told one by one: a screen of rows. */
export const ROUND_PEERS_MAX = 64;
/** Rounds in one answer: at 64 peers each 600 kB. */
export const ROUNDS_PAGE = 64;

/** What one peer did in one round, by the host's clock; null: it has not, or this host did not see it. */
export const roundPeerSchema = z.object({
  peer: peerIdSchema,
  name: z.string(),
  offeredAt: z.nullable(z.int()),
  /** Said that it was ready for this round. */
  readyAt: z.optional(z.nullable(z.int())),
  /** So long its update took to come to the host. */
  uploadMs: z.optional(z.nullable(z.int())),
  /** Trained on after its offer until then: so much of the exchange was hidden. */
  busyUntil: z.nullable(z.int()),
  /** Said which anchor its own fold made. */
  foldedAt: z.nullable(z.int()),
  /** That anchor is the sealed one; null until both are known. */
  agrees: z.nullable(z.boolean()),
  named: z.boolean(), //        the commit names it, or its group
  tokens: z.number(),
  loss: z.nullable(z.number()),
  bytes: z.number(), //         of its update
});
export type RoundPeer = z.infer<typeof roundPeerSchema>;

/** GET /api/runs/:id/rounds?from=&limit=: who did what when. Offers and folds are known of the newest rounds, commits of all. */
export const roundTimesSchema = z.object({
  round: z.int(), //            of its open: the first is 0
  openedAt: z.int(),
  committedAt: z.nullable(z.int()),
  sealedAt: z.nullable(z.int()),
  voided: z.nullable(z.string()),
  anchorHash: z.nullable(hashSchema), //  that its seal names
  rosterSize: z.int(),
  attesters: z.int(),
  peers: z.array(roundPeerSchema).check(z.maxLength(ROUND_PEERS_MAX)),
  peersTotal: z.int(),
  refused: z.array(z.object({ peer: peerIdSchema, reason: z.string() })),
});
export type RoundTimes = z.infer<typeof roundTimesSchema>;

/** GET /api/runs/:id/rounds/:round: the run as it was when so many rounds were sealed. */
export const momentSchema = z.object({
  round: z.int(), //            rounds sealed
  time: z.int(),
  tokens: z.number(),
  anchorHash: hashSchema,
  trainLoss: z.nullable(z.number()),
  evalLoss: z.nullable(z.number()),
  times: roundTimesSchema, //   of the round that this seal ended
  /** By tokens, a page of them. */
  standings: z.array(z.object({ peer: peerIdSchema, name: z.string(), tokens: z.number(), rounds: z.int() })),
  standingsTotal: z.int(),
});
export type Moment = z.infer<typeof momentSchema>;

/** Checkpoints in one answer: a list that a person chooses from. */
export const CHECKPOINTS_PAGE = 64;

/**
 * GET /api/runs/:id/anchor: the newest sealed one, of which the host gives the parameters for a while. GET /api/runs/:id/checkpoints: those whose blobs the host has, newest
 * first; of many the newest, and of the older ones some.
 */
export const checkpointRowSchema = z.object({
  round: z.int(),
  anchorHash: hashSchema,
  time: z.int(),
  blobs: checkpointBlobsSchema,
});
export type CheckpointRow = z.infer<typeof checkpointRowSchema>;
export const checkpointsSchema = z.object({
  checkpoints: z.array(checkpointRowSchema).check(z.maxLength(CHECKPOINTS_PAGE)),
});

/** Of a run that goes on for ever there are as many as one can look through. */
export const SAMPLES_MAX = 64;
/** What the model made of the run's prompts at one checkpoint. */
export const sampleRowSchema = z.object({
  round: z.int(), // rounds folded
  anchorHash: hashSchema,
  time: z.number(), // when it was written, ms since 1970
  texts: z.array(z.string()).check(z.maxLength(PROMPTS_MAX)), // behind each prompt, in the spec's order
});
export type SampleRow = z.infer<typeof sampleRowSchema>;
export const samplesSchema = z.object({
  prompts: z.array(z.string()).check(z.maxLength(PROMPTS_MAX)), // none: the run's spec names none
  samples: z.array(sampleRowSchema).check(z.maxLength(SAMPLES_MAX)), // oldest first
});
export type Samples = z.infer<typeof samplesSchema>;

/** GET /api/runs/:id/export: what there is to take, with the sizes; the archive has all of the files. */
const exportFileSchema = z.object({ name: z.string(), bytes: z.number() });
export const exportListSchema = z.object({
  run: hashSchema,
  round: z.int(), //            rounds folded; ask for the files with it, since the anchor of now goes on
  anchorHash: hashSchema,
  archive: exportFileSchema,
  files: z.array(exportFileSchema),
});
export type ExportList = z.infer<typeof exportListSchema>;

export const findingCauses = [
  "joins-late", //     ready for the next round when the others wait already
  "trains-slowly",
  "uploads-slowly",
  "fetches-slowly", // or folds slowly: the host hears of both together
  "link-stalls",
] as const;
export type FindingCause = (typeof findingCauses)[number];

/** What slows rounds. kind link: `peer` fetches over it, `other` is its far end. */
export const findingSchema = z.object({
  kind: z.enum(["peer", "link"]),
  peer: peerIdSchema,
  other: z.nullable(peerIdSchema),
  cause: z.enum(findingCauses),
  /** By so much everybody's round would be shorter without it, in the median one. */
  secondsPerRound: z.number(),
  rounds: z.int(), //           in so many it was late,
  of: z.int(), //               of so many that were looked at
});
export type Finding = z.infer<typeof findingSchema>;

/** GET /api/runs/:id/diagnosis: costliest first; none: nobody holds the others up, or there are too few rounds to say. */
export const diagnosisSchema = z.object({
  rounds: z.int(), //           that were looked at
  medianRoundMs: z.nullable(z.number()),
  findings: z.array(z.object({ ...findingSchema.shape, name: z.string(), otherName: z.string() })),
});
export type Diagnosis = z.infer<typeof diagnosisSchema>;

/** GET /api/runs/:id/overview: all peers in sums, whatever page of them is shown, and how the host is. */
export const overviewSchema = z.object({
  peersByState: z.record(z.enum(peerStates), z.int()),
  tokensPerSecond: z.number(), // of who trains now
  adapters: z.array(
    z.object({ adapter: z.nullable(adapterSchema), peers: z.int(), training: z.int(), tokensPerSecond: z.number() }),
  ), //                            most peers first
  adaptersTotal: z.int(),
  linksByKind: z.object({ direct: z.int(), turn: z.int(), relayed: z.int() }), // as their ends report them, each once
  /** As /diagnosis has it; the costliest of them. */
  diagnosis: z.optional(diagnosisSchema),
  /** What all-reducing the gradient at every inner step would have moved between the same peers since this host started. */
  ddpBytes: z.number(),
  host: z.object({
    startedAt: z.int(),
    connections: z.int(), //    open /signal sockets
    watchers: z.int(),
    relayLinks: z.int(),
    relayBytes: z.number(),
    /** This calendar month's, by this host's relay and by TURN; at the cap neither is handed out. */
    relayed: z.optional(
      z.object({
        month: z.string(),
        relayBytes: z.number(),
        turnBytes: z.number(),
        capBytes: z.nullable(z.number()),
        over: z.boolean(),
      }),
    ),
    served: z.record(z.string(), z.number()), // blob bytes by kind
    memoryBytes: z.number(),
    /** How late the event loop's timers were, 99th percentile over the last seconds. */
    loopDelayMs: z.number(),
    diskFreeBytes: z.nullable(z.number()),
    logEntries: z.int(),
  }),
});
export type Overview = z.infer<typeof overviewSchema>;

export const apiErrorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
