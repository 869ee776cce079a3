// Control messages between a peer and the host, as JSON text over the WebSocket /signal. Bulk bytes go elsewhere: blobs between
// peers over data channels (frames.ts), to and from the host over HTTP (PUT and GET /api/blobs/:hash).
//
//   host: challenge -> peer: hello (signed) -> host: welcome | refuse -> both: the rest, until bye or close
import * as z from "zod/mini";
import { hashSchema } from "./hash.ts";
import { peerIdSchema, SLOTS_MAX, signatureSchema } from "./identity.ts";
import { islandWaits, RANKS_MAX } from "./islands.ts";
import { capacitySchema, islandIdSchema, islandMembersSchema, islandPlanSchema } from "./islands-schema.ts";
import {
  blobBytesSchema,
  CONTRIBUTORS_MAX,
  checkpointBlobsSchema,
  logEntrySchema,
  ROSTER_MAX,
  refusedSchema,
  signedOfferSchema,
} from "./log.ts";
import { publicKeySchema, specSchema } from "./spec.ts";

/** hello carries the range that a build speaks; the host answers with the highest common one or refuses by name. */
export const PROTOCOL_VERSION = 2;

/** An `open` or `seal` of the largest roster is below 100 kB; SDP with candidates is below 20 kB. */
export const MESSAGE_BYTES_MAX = 256 * 1024;
/** What a peer takes of its host: a welcome with 4,352 shards (0.6 MB), or a room with 256 members of the longest names, all escaped (0.7 MB). */
export const HOST_MESSAGE_BYTES_MAX = 2 ** 20;
/** The mesh plan gives a peer at most 8 neighbours. [R25] */
export const NEIGHBOURS_MAX = 8;
/** A room without a run knows no plan: everybody hears of everybody, so it is small. 24 links per peer need no larger one. */
export const ROOM_MEMBERS_MAX = 256;
/** Entries per message: a commit of 32 contributors is about 20 kB. */
export const ENTRIES_MAX = 10;

const name = z.string().check(z.trim(), z.maxLength(40));
/** Sums of such counts stay finite, whatever strangers say: JSON knows no Infinity, and a document with one is none. */
const count = z.number().check(z.minimum(0), z.maximum(Number.MAX_SAFE_INTEGER));
const reason = z.string().check(z.maxLength(400));

/** A code has 22 characters; what a person copied wrongly is told so, and not as a message that is none. */
const INVITE_LENGTH_MAX = 64;

const keepSchema = z.strictObject({ hash: hashSchema, bytes: blobBytesSchema, maker: peerIdSchema });

export const adapterSchema = z.strictObject({
  backend: z.enum(["webgpu", "wasm"]),
  vendor: z.string().check(z.maxLength(80)),
  architecture: z.string().check(z.maxLength(80)),
  description: z.string().check(z.maxLength(200)),
  isFallback: z.boolean(),
});

export const memberSchema = z.strictObject({ peer: peerIdSchema, name, adapter: adapterSchema });
export type Member = z.infer<typeof memberSchema>;

/** What a link moved since it opened, as its owner measured it. Blob payload and control alike. */
export const linkReportSchema = z.strictObject({
  peer: peerIdSchema,
  kind: z.enum(["direct", "turn", "relayed"]),
  bytesSent: count,
  bytesReceived: count,
  rttMs: z.nullable(count),
  /** As it was measured while much crossed. From who seeks an island alone: other hosts refuse a report that has it. */
  bytesPerSecond: z.optional(count),
});
export type LinkReport = z.infer<typeof linkReportSchema>;

export const peerMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("hello"),
    protocolMin: z.int(),
    protocolMax: z.int(),
    build: z.string().check(z.maxLength(80)),
    run: z.union([hashSchema, z.literal("default")]),
    volunteer: publicKeySchema,
    slot: z.int().check(z.minimum(0), z.maximum(SLOTS_MAX - 1)),
    name,
    adapter: adapterSchema,
    signature: signatureSchema, // purpose "gossamer hello v1" over [nonce, run, slot]
    /** From an invitation link. Hosts before invitations refuse a hello that has it, so it is sent only when there is one. */
    invite: z.optional(z.string().check(z.maxLength(INVITE_LENGTH_MAX))),
  }),
  z.strictObject({ type: z.literal("signal"), to: peerIdSchema, data: z.string().check(z.maxLength(64 * 1024)) }),
  /** At this anchor and willing: named by the next open. round = rounds folded. stepMs: measured time of one inner step, if any yet. */
  z.strictObject({
    type: z.literal("ready"),
    round: z.int().check(z.minimum(0)),
    anchorHash: hashSchema,
    stepMs: z.nullable(count),
  }),
  /** Off the roster from the next open on, until `ready` again. */
  z.strictObject({ type: z.literal("pause"), reason }),
  z.strictObject({
    type: z.literal("progress"),
    round: z.int().check(z.minimum(0)),
    step: z.int().check(z.minimum(0)),
    loss: z.nullable(z.number()),
    tokensPerSecond: count,
  }),
  z.strictObject({ type: z.literal("offer"), offer: signedOfferSchema }),
  /** refused: contributions with weight 0 by rule; for a host without a witness, which decodes nothing. */
  z.strictObject({
    type: z.literal("attest"),
    round: z.int().check(z.minimum(0)),
    anchorHash: hashSchema,
    refused: z.optional(refusedSchema),
  }),
  /** The answer to keep: that blob is here, checked. */
  z.strictObject({ type: z.literal("kept"), hash: hashSchema }),
  /** The answer to make-checkpoint: the sections of that anchor, which this peer now keeps. */
  z.strictObject({
    type: z.literal("checkpoint-made"),
    round: z.int().check(z.minimum(1)),
    anchorHash: hashSchema,
    blobs: checkpointBlobsSchema,
  }),
  /** The aggregate of this peer's group, as it has computed it. [R27] */
  z.strictObject({
    type: z.literal("attest-group"),
    openSeq: z.int().check(z.minimum(0)),
    manifest: hashSchema,
    update: hashSchema,
    bytes: blobBytesSchema,
    tokens: z.int().check(z.minimum(1)),
    refused: z.array(peerIdSchema).check(z.maxLength(CONTRIBUTORS_MAX)), // members whose updates count for nothing, sorted
  }),
  z.strictObject({
    type: z.literal("evaluation"),
    round: z.int().check(z.minimum(0)),
    anchorHash: hashSchema,
    setHash: hashSchema,
    loss: z.number(),
  }),
  z.strictObject({
    type: z.literal("links"),
    links: z.array(linkReportSchema).check(z.maxLength(32)),
    bytesFromHost: count,
    bytesToHost: count,
  }),
  /** Where this peer's log ends, after each welcome: its last entry and that entry's hash; -1 and the run's id while it has none. */
  z.strictObject({ type: z.literal("head"), seq: z.int().check(z.minimum(-1)), hash: hashSchema }),
  /** The answer to give-back, in order from the entry that was asked for; none: it keeps none that old. */
  z.strictObject({ type: z.literal("given-back"), entries: z.array(logEntrySchema).check(z.maxLength(ENTRIES_MAX)) }),
  /** The part of the answer to give-blobs that is no upload. */
  z.strictObject({
    type: z.literal("lacks"),
    hashes: z.array(hashSchema).check(z.minLength(1), z.maxLength(CONTRIBUTORS_MAX)),
  }),
  /** Here the model fits nobody alone, and among ranksMin it does. Again when it has changed, and after an island is over. [R53] */
  z.strictObject({
    type: z.literal("seek-island"),
    ranksMin: z.int().check(z.minimum(2), z.maximum(RANKS_MAX)),
    reason: z.optional(reason),
    capacity: z.optional(capacitySchema),
  }),
  /** That island is over: a member is gone, a link is down, an engine is lost. Of none: this peer seeks one no more. */
  z.strictObject({ type: z.literal("leave-island"), island: z.optional(islandIdSchema), reason }),
  z.strictObject({ type: z.literal("bye"), reason }),
]);
export type PeerMessage = z.infer<typeof peerMessageSchema>;

const iceServerSchema = z.strictObject({
  urls: z.union([z.string(), z.array(z.string())]),
  username: z.optional(z.string()),
  credential: z.optional(z.string()),
});

const iceServersSchema = z.array(iceServerSchema).check(z.maxLength(8));
export type IceServers = z.infer<typeof iceServersSchema>;
/** Instead of those of the welcome, for links that open from now on: passwords of TURN servers end. */
const iceMessageSchema = z.strictObject({ type: z.literal("ice"), iceServers: iceServersSchema });

export const refusalCodes = [
  "origin",
  "version",
  "run-unknown",
  "run-ended",
  "signature",
  "slot-taken",
  "full",
  "rate",
  "invalid",
  "superseded",
  "banned",
  "invite-needed",
  "invite-unknown",
  "invite-ended",
  "invite-used-up",
  "not-listed",
] as const;

export const hostMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("challenge"), nonce: hashSchema }),
  z.strictObject({
    type: z.literal("welcome"),
    protocol: z.int(),
    build: z.string().check(z.maxLength(80)),
    peer: peerIdSchema,
    run: hashSchema,
    spec: specSchema,
    session: z.string().check(z.maxLength(100)), //  bearer token for PUT /api/blobs/:hash
    iceServers: iceServersSchema,
    relay: z.boolean(), //             WS /relay carries frames of pairs that cannot connect
    headSeq: z.int().check(z.minimum(-1)), //       last entry of the log; -1: none yet
    headHash: hashSchema, //           of that entry; the run's id while there is none
    members: z.array(memberSchema).check(z.maxLength(NEIGHBOURS_MAX)), // those to be linked with
  }),
  z.strictObject({ type: z.literal("refuse"), code: z.enum(refusalCodes), message: reason }),
  iceMessageSchema,
  /** A neighbour: one to be linked with. */
  z.strictObject({ type: z.literal("joined"), member: memberSchema }),
  /** A neighbour's control socket is gone. */
  z.strictObject({ type: z.literal("left"), peer: peerIdSchema, reason }),
  /** It is still here, but somebody has come between: no neighbour any more. */
  z.strictObject({ type: z.literal("parted"), peer: peerIdSchema }),
  z.strictObject({ type: z.literal("signal"), from: peerIdSchema, data: z.string().check(z.maxLength(64 * 1024)) }),
  /** More offers count than a commit may name: this peer is in a group that makes one update of these. Again after a welcome. [R27] */
  z.strictObject({
    type: z.literal("reduce"),
    openSeq: z.int().check(z.minimum(0)),
    manifest: hashSchema,
    members: z
      .array(
        z.strictObject({
          peer: peerIdSchema,
          update: hashSchema,
          bytes: blobBytesSchema,
          tokens: z.int().check(z.minimum(1)),
        }),
      )
      .check(z.minLength(2), z.maxLength(CONTRIBUTORS_MAX)),
  }),
  /** The group agrees on this aggregate: upload it. */
  z.strictObject({ type: z.literal("send-up"), hash: hashSchema }),
  /** A roster that its `open` does not list: this peer's place in it. Before the `open`, and again after a welcome. [R26] */
  z.strictObject({
    type: z.literal("seat"),
    openSeq: z.int().check(z.minimum(0)),
    position: z.int().check(z.minimum(0), z.maximum(ROSTER_MAX - 1)),
  }),
  z.strictObject({
    type: z.literal("entries"),
    entries: z.array(logEntrySchema).check(z.minLength(1), z.maxLength(ENTRIES_MAX)),
  }),
  /** An update that this peer should hold, so that it outlives its maker. */
  z.strictObject({ type: z.literal("keep"), blob: keepSchema }),
  /** To peers at that anchor, of a run whose host has no witness. */
  z.strictObject({ type: z.literal("make-checkpoint"), round: z.int().check(z.minimum(1)) }),
  /** To a peer whose log is longer: the host takes its own entries back, from that one on. */
  z.strictObject({ type: z.literal("give-back"), from: z.int().check(z.minimum(0)) }),
  /** The host's disk has lost these updates: whoever holds them uploads them. */
  z.strictObject({
    type: z.literal("give-blobs"),
    hashes: z.array(hashSchema).check(z.minLength(1), z.maxLength(CONTRIBUTORS_MAX)),
  }),
  z.strictObject({ type: z.literal("offer-refused"), openSeq: z.int().check(z.minimum(0)), message: reason }),
  /** To every member: who is in it, by rank. [R53] */
  z.strictObject({
    type: z.literal("island"),
    island: islandIdSchema,
    members: islandMembersSchema,
    plan: islandPlanSchema,
  }),
  z.strictObject({ type: z.literal("island-over"), island: islandIdSchema, reason }),
  /** To who seeks one: so many more are needed, at least. */
  z.strictObject({
    type: z.literal("island-waits"),
    missing: z.int().check(z.minimum(0), z.maximum(RANKS_MAX)),
    because: z.enum(islandWaits),
    /** Neighbours who seek one too: the links to measure. */
    seekers: z.optional(z.array(peerIdSchema).check(z.maxLength(NEIGHBOURS_MAX))),
  }),
  z.strictObject({
    type: z.literal("fold-refused"),
    round: z.int().check(z.minimum(0)),
    peers: z.array(peerIdSchema).check(z.maxLength(CONTRIBUTORS_MAX)),
    message: reason,
  }),
]);
export type HostMessage = z.infer<typeof hostMessageSchema>;

/** What a host that only signals (`--only signaling`) says: a room is a run's id, and its members are all it knows. */
export const roomMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("challenge"), nonce: hashSchema }),
  z.strictObject({
    type: z.literal("room"), //      instead of welcome: no spec, no log, no uploads
    protocol: z.int(),
    build: z.string().check(z.maxLength(80)),
    peer: peerIdSchema,
    run: hashSchema,
    iceServers: iceServersSchema,
    members: z.array(memberSchema).check(z.maxLength(ROOM_MEMBERS_MAX)),
  }),
  z.strictObject({ type: z.literal("refuse"), code: z.enum(refusalCodes), message: reason }),
  iceMessageSchema,
  z.strictObject({ type: z.literal("joined"), member: memberSchema }),
  z.strictObject({ type: z.literal("left"), peer: peerIdSchema, reason }),
  z.strictObject({ type: z.literal("signal"), from: peerIdSchema, data: z.string().check(z.maxLength(64 * 1024)) }),
]);
export type RoomMessage = z.infer<typeof roomMessageSchema>;

/** The message, or why the text is none: for the socket's owner to refuse or log. Never throws; the size is checked before anything is parsed. */
export const parsePeerMessage = (text: string): PeerMessage | string =>
  parseMessage(peerMessageSchema, text, MESSAGE_BYTES_MAX);
export const parseHostMessage = (text: string): HostMessage | string =>
  parseMessage(hostMessageSchema, text, HOST_MESSAGE_BYTES_MAX);
export const parseRoomMessage = (text: string): RoomMessage | string =>
  parseMessage(roomMessageSchema, text, HOST_MESSAGE_BYTES_MAX);

const helloOfAnyVersion = z.looseObject({ type: z.literal("hello"), protocolMin: z.int(), protocolMax: z.int() });

/** The range that a hello names which this build may not understand otherwise: so it is refused for its version, by name. */
export function protocolRangeOf(text: string): { min: number; max: number } | undefined {
  const hello = parseMessage(helloOfAnyVersion, text, MESSAGE_BYTES_MAX);
  return typeof hello === "string" ? undefined : { min: hello.protocolMin, max: hello.protocolMax };
}

function parseMessage<T>(schema: z.ZodMiniType<T>, text: string, bytesMax: number): T | string {
  // UTF-8 never has fewer bytes than the string has code units, so this bounds the work without counting bytes.
  if (text.length > bytesMax) return `a message of ${text.length} characters; ${bytesMax} is the most`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "not JSON";
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return `${issue.path.map(String).join(".") || "message"}: ${issue.message}`.slice(0, 400);
}
