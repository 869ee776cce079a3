// What the sequencer knows of one connection, and how the API shows it.
import type { LinkReport, Member } from "#wire";
import type { ConnectedPeer, Millis } from "./ports.ts";
import type { RunState } from "./run-state.ts";
import type { PeerTraffic } from "./traffic.ts";

/** What rounds are decided by: changed by Attendance alone, which counts. */
export interface Standing {
  readonly willing: boolean; //      has said ready, and neither paused nor said goodbye since
  readonly paused: boolean;
  readonly bye: string | undefined;
  readonly foldedRound: number; //   rounds that this peer has folded to our hash; -1: unknown
}

export interface Session extends Standing {
  readonly member: Member;
  readonly connectedAt: Millis;
  faults: number;
  signalsRefused: number; //         in this round
  liedInRow: number; //              rounds in which it attested another aggregate than its group
  overdueSince: Millis | undefined; // the open of the first round that it has let pass since its last offer
  refused: number;
  stepMs: number | null;
  loss: number | null;
  step: number;
  tokensPerSecond: number;
  links: readonly LinkReport[];
}

export const newSession = (member: Member, connectedAt: Millis): Session => ({
  member,
  connectedAt,
  willing: false,
  paused: false,
  bye: undefined,
  foldedRound: -1,
  faults: 0,
  signalsRefused: 0,
  liedInRow: 0,
  overdueSince: undefined,
  refused: 0,
  stepMs: null,
  loss: null,
  step: 0,
  tokensPerSecond: 0,
  links: [],
});

export function connectedPeer(
  session: Session,
  log: RunState,
  hasOffered: boolean,
  traffic: PeerTraffic,
): ConnectedPeer {
  const { member, refused, loss, step, tokensPerSecond, links } = session;
  const state = stateOf(session, log, hasOffered);
  return { member, state, refused, loss, step, tokensPerSecond, ...traffic, links };
}

function stateOf(session: Session, log: RunState, hasOffered: boolean): ConnectedPeer["state"] {
  const { commit, round } = log;
  if (session.paused) return "paused";
  if (!session.willing) return "joining";
  if (log.positionOf(session.member.peer) >= 0) return hasOffered || commit !== undefined ? "offered" : "training";
  return session.foldedRound === round ? "ready" : "joining";
}
