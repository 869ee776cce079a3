// Which peer or link slows rounds, and why: from what the last rounds' own timings say.
//
//   rounds (who offered, folded, was ready when), links (bytes, round-trip time) -> Finding[]      costliest first
//
// A round is as slow as its slowest part, so what counts is what everybody else waited for. A peer is late by how far it is behind the
// median of the others, in the median round of the window; it is named when that is more than chance (median and MAD) and more than a
// person would notice. What it costs is counted against the last of those who are not named.
import type { Finding, FindingCause, PeerId } from "#wire";

/** One round, times in ms of one clock. A time that is not known is null. */
export interface RoundSample {
  readonly openedAt: number;
  readonly committedAt: number;
  readonly sealedAt: number;
  /** The seal before: between it and the open the host waits for who is not ready. Null: not known, or it rested. */
  readonly sealedBeforeAt: number | null;
  readonly peers: readonly PeerSample[];
}

export interface PeerSample {
  readonly peer: PeerId;
  readonly readyAt: number | null;
  readonly offeredAt: number | null;
  /** Of its update, as the host measured it. */
  readonly uploadMs: number | null;
  readonly foldedAt: number | null;
}

/** A link as one end sees it, over the window. */
export interface LinkSample {
  readonly peer: PeerId; //   who reports it
  readonly other: PeerId;
  readonly bytesReceived: number;
  readonly rttMs: number | null;
}

/** Fewer rounds say nothing: one hiccup would be a third of them. */
const ROUNDS_MIN = 5;
/** What is shorter nobody minds. */
const LATE_MS_MIN = 1_000;
/** And less than that part of what the others take is the ordinary difference of machines. */
const LATE_PART_MIN = 0.25;
/** So many standard deviations; 1.4826 MAD is one of a normal distribution. */
const DEVIATIONS = 3;
const MAD_TO_SIGMA = 1.4826;
/** A path around the world has 0.3 s; a queue that does not drain has more, and so have no other links. */
const RTT_MS_MIN = 500;
const RTT_TIMES_MIN = 4;
/** A link that brought less than that part of what the receiver's other links did. */
const STARVED_PART = 0.1;

interface Part {
  readonly cause: FindingCause;
  /** When the others' part was done, and when this one's was: ms since the part began; null: not known. */
  readonly tookMs: (round: RoundSample, peer: PeerSample) => number | null;
  /** How long the part was at all. */
  readonly longestMs: (round: RoundSample) => number;
}

const between = (from: number | null, to: number | null): number | null =>
  from === null || to === null ? null : Math.max(0, to - from);

/** What a round waits for, in the order in which it does. */
const parts: readonly Part[] = [
  {
    cause: "joins-late",
    tookMs: ({ sealedBeforeAt }, { readyAt }) => between(sealedBeforeAt, readyAt),
    longestMs: ({ sealedBeforeAt, openedAt }) => between(sealedBeforeAt, openedAt) ?? 0,
  },
  {
    cause: "trains-slowly",
    tookMs: ({ openedAt }, { offeredAt }) => between(openedAt, offeredAt),
    longestMs: ({ openedAt, committedAt }) => committedAt - openedAt,
  },
  {
    cause: "fetches-slowly",
    tookMs: ({ committedAt }, { foldedAt }) => between(committedAt, foldedAt),
    longestMs: ({ committedAt, sealedAt }) => sealedAt - committedAt,
  },
];

export function diagnose(rounds: readonly RoundSample[], links: readonly LinkSample[]): Finding[] {
  if (rounds.length < ROUNDS_MIN) return [];
  const found = parts.flatMap((part) => lateIn(part, rounds)).flatMap((late) => explained(late, rounds, links));
  return found.sort((a, b) => b.secondsPerRound - a.secondsPerRound);
}

interface Late {
  readonly peer: PeerId;
  readonly cause: FindingCause;
  readonly secondsPerRound: number;
  readonly rounds: number;
}

function lateIn(part: Part, rounds: readonly RoundSample[]): Late[] {
  const behindByPeer = new Map<PeerId, number[]>();
  const othersMs: number[] = [];
  const deviations: number[] = [];
  for (const round of rounds) {
    const took = tookIn(part, round);
    if (took.size < 2) continue;
    for (const [peer, ms] of took) {
      const others = median([...took].filter(([other]) => other !== peer).map(([, other]) => other));
      othersMs.push(others);
      deviations.push(Math.abs(ms - others));
      behindByPeer.set(peer, [...(behindByPeer.get(peer) ?? []), ms - others]);
    }
  }
  if (deviations.length === 0) return [];
  const chance = DEVIATIONS * MAD_TO_SIGMA * median(deviations);
  const ordinary = LATE_PART_MIN * median(othersMs);
  const late = [...behindByPeer].filter(([, behind]) => {
    if (behind.length < ROUNDS_MIN) return false;
    const by = median(behind);
    // Of two there is no "most": each is as far from the other. Then a quarter of the other's time alone decides.
    return by > Math.max(LATE_MS_MIN, ordinary, behindByPeer.size > 2 ? chance : 0);
  });
  const named = new Set(late.map(([peer]) => peer));
  return late.flatMap(([peer, behind]) => {
    const secondsPerRound = costOf(part, peer, named, rounds) / 1000;
    const often = behind.filter((ms) => ms > LATE_MS_MIN / 2).length;
    return secondsPerRound < 0.1 ? [] : [{ peer, cause: part.cause, secondsPerRound, rounds: often }];
  });
}

const tookIn = ({ tookMs }: Part, round: RoundSample): Map<PeerId, number> =>
  new Map(
    round.peers.flatMap((peer): [PeerId, number][] => {
      const ms = tookMs(round, peer);
      return ms === null ? [] : [[peer.peer, ms]];
    }),
  );

/** How much shorter the part would be in the median round if only those who are not named took part. */
function costOf(part: Part, peer: PeerId, named: ReadonlySet<PeerId>, rounds: readonly RoundSample[]): number {
  const costs = rounds.flatMap((round) => {
    const took = tookIn(part, round);
    const own = took.get(peer);
    if (own === undefined) return [];
    const others = [...took].filter(([other]) => !named.has(other)).map(([, ms]) => ms);
    return [Math.max(0, Math.min(own, part.longestMs(round)) - Math.max(0, ...others))]; // a deadline ends waiting
  });
  return median(costs);
}

/** Why it is late: its upload rather than its device, one link rather than its line. */
function explained(late: Late, rounds: readonly RoundSample[], links: readonly LinkSample[]): Finding[] {
  const peerFinding = (cause: FindingCause): Finding => ({
    kind: "peer",
    ...late,
    cause,
    other: null,
    of: rounds.length,
  });
  if (late.cause === "trains-slowly") return [peerFinding(uploadIsWhy(late, rounds) ? "uploads-slowly" : late.cause)];
  if (late.cause !== "fetches-slowly") return [peerFinding(late.cause)];
  const own = links.filter(({ peer }) => peer === late.peer);
  const bad = own.filter((link) => stalls(link, own, links));
  if (bad.length === 0 || 2 * bad.length > own.length) return [peerFinding(late.cause)]; // most of its links: its own line
  const share = late.secondsPerRound / bad.length;
  return bad.map(({ other }) => ({ ...peerFinding("link-stalls"), kind: "link", other, secondsPerRound: share }));
}

/** Its uploads take longer than the others' by more than half of what it is late. */
function uploadIsWhy({ peer }: Late, rounds: readonly RoundSample[]): boolean {
  const [behind, longer]: [number[], number[]] = [[], []];
  for (const round of rounds) {
    const own = round.peers.find((one) => one.peer === peer);
    const others = round.peers.filter((one) => one.peer !== peer);
    const offered = others.flatMap((one) => between(round.openedAt, one.offeredAt) ?? []);
    const uploads = others.flatMap(({ uploadMs }) => uploadMs ?? []);
    if (own?.offeredAt == null || own.uploadMs === null || offered.length === 0 || uploads.length === 0) continue;
    behind.push(own.offeredAt - round.openedAt - median(offered));
    longer.push(own.uploadMs - median(uploads));
  }
  return behind.length > 0 && median(longer) > median(behind) / 2;
}

function stalls(link: LinkSample, own: readonly LinkSample[], all: readonly LinkSample[]): boolean {
  const isOther = (other: LinkSample): boolean =>
    other !== link && !(other.peer === link.other && other.other === link.peer);
  const rtts = all.filter(isOther).flatMap(({ rttMs }) => rttMs ?? []);
  if (link.rttMs !== null && rtts.length > 0) {
    const usual = median(rtts);
    const chance = DEVIATIONS * MAD_TO_SIGMA * median(rtts.map((ms) => Math.abs(ms - usual)));
    if (link.rttMs > Math.max(RTT_MS_MIN, RTT_TIMES_MIN * usual, usual + chance)) return true;
  }
  const bytes = own.filter(isOther).map(({ bytesReceived }) => bytesReceived);
  return bytes.length >= 2 && link.bytesReceived < STARVED_PART * median(bytes);
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
