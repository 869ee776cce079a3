// Where a model comes from, as a document that goes with it: run, round, anchor, the log's entry that sealed it, who gave how much. The host signs it.
//
//   log up to the seal of that round -> sums by volunteer -> signed ["gossamer provenance v1", document without signature] by the run's host key
//
// Nobody needs to believe it: `gossamer replay` folds the log to the same anchor, and checks each volunteer's own signature on each offer.
import * as z from "zod/mini";
import {
  type CheckpointRow,
  type Contribution,
  creditedTo,
  decodeManifest,
  type EntryOf,
  entryHash,
  hashSchema,
  type Identity,
  isGroup,
  type LogEntry,
  publicKeySchema,
  type RunSpec,
  runIdOf,
  sign,
  signatureSchema,
  verify,
  volunteerOf,
} from "#wire";
import { FormatError } from "./source.ts";

const count = z.int().check(z.minimum(0));

const body = {
  format: z.literal("gossamer provenance"),
  version: z.literal(1),
  run: hashSchema,
  round: count, //                      rounds folded into it
  anchorHash: hashSchema,
  /** The seal of that anchor: its place in the log, and its hash, which all entries before it lead to; null before the first round. */
  head: z.nullable(z.strictObject({ seq: count, hash: hashSchema })),
  /** Name of the log's blob with the same parameters in f32. */
  parameters: hashSchema,
  tokens: count, //                     that count, of all contributors
  /** The last evaluation up to then: mean loss in nats per token on the run's held-out set. */
  evaluation: z.nullable(z.strictObject({ round: count, loss: z.number(), setHash: hashSchema })),
  /** Whoever a commit names, with what counted; most tokens first. */
  contributors: z.array(z.strictObject({ volunteer: publicKeySchema, tokens: count, rounds: count })),
};
export const provenanceSchema = z.strictObject({ ...body, signature: z.nullable(signatureSchema) });
export type Provenance = z.infer<typeof provenanceSchema>;

/**
 * @param row the checkpoint, or the anchor of now
 * @param manifest a group's members, where the blob is here; where not, the group's own name stands for them
 * @param host signs; undefined: nobody does
 */
export function provenanceOf(
  spec: RunSpec,
  row: CheckpointRow,
  entries: readonly LogEntry[],
  manifest: (hash: string) => Uint8Array | undefined,
  host: Identity | undefined,
): Provenance {
  const head = entries.findLast((entry) => entry.type === "seal" && entry.anchorHash === row.anchorHash);
  const contributors = contributorsUpTo(entries, head?.seq ?? -1, manifest);
  const evaluation = entries.findLast((entry) => entry.type === "eval" && entry.round <= row.round);
  const { round, loss, setHash } = evaluation?.type === "eval" ? evaluation : {};
  const unsigned = {
    format: "gossamer provenance" as const,
    version: 1 as const,
    run: runIdOf(spec),
    round: row.round,
    anchorHash: row.anchorHash,
    head: head === undefined ? null : { seq: head.seq, hash: entryHash(head) },
    parameters: row.blobs.find(({ name }) => name === "parameters")!.hash,
    tokens: contributors.reduce((sum, { tokens }) => sum + tokens, 0),
    evaluation: loss === undefined ? null : { round: round!, loss, setHash: setHash! },
    contributors,
  };
  return { ...unsigned, signature: host === undefined ? null : sign(host, "gossamer provenance v1", unsigned) };
}

function contributorsUpTo(
  entries: readonly LogEntry[],
  seq: number,
  manifest: (hash: string) => Uint8Array | undefined,
): Provenance["contributors"] {
  const given = new Map<string, { tokens: number; rounds: number }>();
  let named: readonly Contribution[] = [];
  let open: Pick<EntryOf<"open">, "islands"> = {};
  for (const entry of entries.slice(0, seq + 1)) {
    if (entry.type === "open") open = entry;
    if (entry.type === "commit") named = entry.contributors;
    if (entry.type !== "seal") continue;
    const without = new Set(entry.refused.map(({ peer }) => peer));
    const inRound = new Map<string, number>(); // a volunteer with two slots took part in one round
    for (const contribution of named.filter(({ peer }) => !without.has(peer)))
      for (const { peer, tokens } of givers(contribution, manifest).flatMap((given) => creditedTo(open, given)))
        inRound.set(volunteerOf(peer), (inRound.get(volunteerOf(peer)) ?? 0) + tokens);
    for (const [volunteer, tokens] of inRound) {
      const before = given.get(volunteer) ?? { tokens: 0, rounds: 0 };
      given.set(volunteer, { tokens: before.tokens + tokens, rounds: before.rounds + 1 });
    }
    named = [];
  }
  return [...given]
    .map(([volunteer, each]) => ({ volunteer, ...each }))
    .sort((a, b) => b.tokens - a.tokens || (a.volunteer < b.volunteer ? -1 : 1));
}

function givers(contribution: Contribution, manifest: (hash: string) => Uint8Array | undefined) {
  if (!isGroup(contribution)) return [contribution];
  const blob = manifest(contribution.manifest);
  const members = blob && decodeManifest(blob);
  return members?.filter(({ peer }) => !contribution.refused.includes(peer)) ?? [contribution];
}

/** What a host says of one of its anchors, checked against the run and the host's key. @throws FormatError */
export function checkProvenance(document: unknown, spec: RunSpec, row: CheckpointRow): Provenance {
  const parsed = provenanceSchema.safeParse(document);
  const wrong = (what: string) =>
    new FormatError(
      `What the host says about where the model comes from ${what}. Ask its operator, or export from its data directory.`,
    );
  if (!parsed.success) throw wrong("is of another version");
  const { signature, ...unsigned } = parsed.data;
  if (unsigned.run !== runIdOf(spec) || unsigned.round !== row.round || unsigned.anchorHash !== row.anchorHash)
    throw wrong("is of another run or round");
  if (signature === null || !verify(spec.hostKey, "gossamer provenance v1", unsigned, signature))
    throw wrong("is not signed by the run's host key");
  return parsed.data;
}
