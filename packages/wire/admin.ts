// The operator's API, behind a token: what a host's runs are, and what is decided about them.
//
//   GET  /api/admin/runs                                                     AdminRun[]: served ones, then what else is stored
//   POST /api/admin/runs {"run": "nano"} | {"draft": {…}}                    starts one -> 201 AdminRun
//   POST /api/admin/runs/:id/{start, pause, resume, end, archive} {reason?}  -> AdminRun
//
//   GET  /api/admin/{bans, invites, allowed}                                 BanRow[], InviteRow[], AllowedRow[]
//   POST /api/admin/bans {volunteer, forMs?, reason?} -> BanRow              invites {label?, usesMax?, forMs?} -> InviteRow with its code
//        /api/admin/allowed {volunteer, label?} -> AllowedRow                {bans, allowed}/:volunteer/remove, invites/:id/remove
//   GET  /api/admin/audit                                                    the newest lines of the audit trail, oldest first
import * as z from "zod/mini";
import { runStates, runSummarySchema } from "./api.ts";
import { publicKeySchema } from "./spec.ts";

/** stored: it lies in the data directory and is not served. archived: the same, by the operator's decision. */
export const adminRunStates = [...runStates, "stored", "archived"] as const;

export const adminRunSchema = z.object({
  ...runSummarySchema.shape, // of stored ones round, peers and tokens are 0: nobody has read their log
  state: z.enum(adminRunStates),
  isDefault: z.boolean(),
  problem: z.nullable(z.string()), // why it cannot be served
});
export type AdminRun = z.infer<typeof adminRunSchema>;

export const runActions = ["start", "pause", "resume", "end", "archive"] as const;
export type RunAction = (typeof runActions)[number];

export const startRunSchema = z.union([
  z.strictObject({ run: z.string().check(z.minLength(1), z.maxLength(200)) }), // a preset, perhaps with +METHOD
  z.strictObject({ draft: z.record(z.string(), z.unknown()) }), //               as in a run's file; checked as such
]);
export type StartRun = z.infer<typeof startRunSchema>;
export const runActionSchema = z.strictObject({ reason: z.optional(z.string().check(z.maxLength(200))) });

/** Ten years: longer is for ever, which is said by leaving it out. */
const forMs = z.optional(z.int().check(z.minimum(1_000), z.maximum(315_360_000_000)));
const time = z.int(); // wall clock, ms since 1970
const label = z.string().check(z.trim(), z.maxLength(80));

export const banRowSchema = z.object({
  volunteer: publicKeySchema,
  by: z.enum(["host", "operator"]), // host: sent away for what it did
  since: time,
  until: z.nullable(time), //          null: for ever
  reason: z.string(),
});
export type BanRow = z.infer<typeof banRowSchema>;
export const makeBanSchema = z.strictObject({
  volunteer: publicKeySchema,
  forMs,
  reason: z.optional(z.string().check(z.maxLength(200))),
});

export const inviteRowSchema = z.object({
  id: z.string(),
  label: z.string(),
  usesMax: z.int(),
  uses: z.int(), //                    volunteers who came in by it
  madeAt: time,
  endsAt: z.nullable(time),
  code: z.optional(z.string()), //     once, where it is made: the host keeps its hash
});
export type InviteRow = z.infer<typeof inviteRowSchema>;
export const makeInviteSchema = z.strictObject({
  label: z.optional(label),
  usesMax: z.optional(z.int().check(z.minimum(1), z.maximum(100_000))),
  forMs,
});

/** Who may come in without an invitation: by the operator's list, or because it once had one. */
export const allowedRowSchema = z.object({
  volunteer: publicKeySchema,
  by: z.string(), //                   "list", or the invitation's id
  label: z.string(),
  since: time,
});
export type AllowedRow = z.infer<typeof allowedRowSchema>;
export const makeAllowedSchema = z.strictObject({ volunteer: publicKeySchema, label: z.optional(label) });

export const auditRowSchema = z.looseObject({ time: z.string(), event: z.string() });
export type AuditRow = z.infer<typeof auditRowSchema>;
