// What hosts of a cluster say to each other. Hosts trust each other: who may speak on these subjects is the NATS server's to know.
//
//   edge -> leader   attach (asked and answered), then numbered: enter | left | message | beat          also asked: session, stored
//   leader -> edge   numbered: entered | refused | send | broadcast | sent-away | beat | again
//
// Between two hosts there is one *line*: a name that the edge makes when it attaches, and a number for each message of each way. A number
// that is missing means that something was lost; then the edge attaches anew, and everybody there enters again.
import type { HostMessage, Member, PeerId, PeerMessage } from "#wire";
import type { Hello, RefusalCode } from "../signal.ts";

export type Welcome = Extract<HostMessage, { type: "welcome" }>;
/** Without what the edge knows: the spec may have hundreds of kilobytes. */
type ShortWelcome = Omit<Welcome, "spec" | "session" | "iceServers">;

export type EdgeSays =
  /** A socket of that peer is there; session: the hash of its token. */
  | { type: "enter"; session: string; hello: Hello; member: Member }
  | { type: "left"; session: string; peer: PeerId; reason: string }
  | { type: "message"; session: string; peer: PeerId; message: PeerMessage }
  | { type: "beat" };

export type EdgeAsks =
  | { type: "attach"; edge: string; line: string }
  /** Whose session is that? */
  | { type: "session"; session: string }
  /** An upload is in the shared store. */
  | { type: "stored"; peer: PeerId; hash: string; bytes: number; isNew: boolean };

export type LeaderAnswers =
  | { type: "attached" }
  | { type: "session"; peer: PeerId | null }
  | { type: "done" }
  | { type: "no"; why: string };

export type LeaderSays =
  | { type: "entered"; session: string; peer: PeerId; welcome: ShortWelcome }
  | { type: "refused"; session: string; peer: PeerId; code: RefusalCode; message: string }
  | { type: "send"; peer: PeerId; message: HostMessage }
  | { type: "broadcast"; message: HostMessage; except: PeerId | null }
  /** That volunteer does not come back for a while, on whichever host it tries. [R38] */
  | { type: "sent-away"; peer: PeerId; reason: string }
  | { type: "beat" }
  /** That line is none: attach. */
  | { type: "again" };

export interface Numbered<T> {
  readonly edge: string;
  readonly line: string;
  readonly n: number;
  readonly says: T;
}

/** Who orders the run, as the lease says it. */
export interface LeaderCard {
  /** Of this process alone. */
  readonly host: string;
  /** Where its documents are asked for. */
  readonly url: string;
  /** SHA-256 of its certificate, with HTTPS. */
  readonly fingerprint?: string | undefined;
}

export interface Subjects {
  leader(host: string): string;
  edge(host: string): string;
}

export const subjectsOf = (cluster: string, run: string): Subjects => ({
  leader: (host) => `gossamer.${cluster}.run.${run}.leader.${host}`,
  edge: (host) => `gossamer.${cluster}.run.${run}.edge.${host}`,
});

/** Beats say that the line is whole, also when there is nothing else to say. */
export const BEAT_MS = 1_000;
/** Five beats: whoever is silent for so long is gone. Less than a lease, so that a leader's end is noticed before the next one begins. */
export const SILENCE_MS = 5_000;
/** The NATS server is near. */
export const ANSWER_MS = 2_000;
