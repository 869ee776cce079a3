// The host's public API as the page and scripts read it (JSON over HTTP, and the same documents as server-sent events).
//
//   GET /api/runs/:id/events     event "run": RunDetail, at most twice a second;  event "entry": LogEntry, as it is appended
import { z } from "zod";
import { peerIdSchema } from "./identity.ts";
import { adapterSchema, linkReportSchema } from "./messages.ts";
import { hashSchema, specSchema } from "./spec.ts";

export const API_VERSION = 1;
/** Peers in one page of RunDetail, and churn events kept: what a screen shows, and 200 rows are 100 kB. */
export const PEERS_PAGE = 200;
export const CHURN_PAGE = 200;

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
  adapter: adapterSchema.nullable(),
  tokens: z.number(), //        committed
  rounds: z.int(), //           commits that name this peer
  refused: z.int(), //          offers or contributions refused
  loss: z.number().nullable(), //  newest training loss
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
  build: z.string(),
  phase: z.enum(["waiting", "training", "folding", "ended"]), //  waiting: nobody in the roster
  roster: z.array(peerIdSchema),
  offered: z.array(peerIdSchema),
  spec: specSchema,
  head: z.object({
    round: z.int(),
    anchorHash: hashSchema,
    trainLoss: z.number().nullable(),
    evalLoss: z.number().nullable(),
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
  endReason: z.string().nullable(),
});
export type RunDetail = z.infer<typeof runDetailSchema>;

/** GET /api/runs/:id/series?metric=trainLoss&points=500: x is the round, tokens the running total at it. */
export const seriesMetrics = ["trainLoss", "evalLoss", "tokensPerSecond", "contributors", "updateBytes"] as const;
export const seriesSchema = z.object({
  metric: z.enum(seriesMetrics),
  points: z.array(z.object({ round: z.int(), tokens: z.number(), time: z.int(), value: z.number() })),
});
export type Series = z.infer<typeof seriesSchema>;

export const apiErrorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
