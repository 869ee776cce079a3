// Who has moved how much since this host started, also of those who left.
//
//   a peer reports what its open links moved since they opened -> links close and open again, pages reload -> sums never fall back
import { type LinkReport, type PeerId, ROSTER_MAX } from "#wire";

/**
 * Peers whose sums are kept apart: as many as may be here at once, or totals would count who comes back into view twice. A report is 32
 * links at most: some 40 MB in all. Older ones count on in the run's totals.
 */
export const PEERS_MAX = ROSTER_MAX;

interface Report {
  readonly links: readonly LinkReport[];
  readonly bytesFromHost: number;
  readonly bytesToHost: number;
}

type ByWay = Readonly<Record<LinkReport["kind"], number>>;
interface Moved {
  readonly sent: ByWay;
  readonly received: ByWay;
  readonly fromHost: number;
  readonly toHost: number;
}

interface Account {
  /** Of links that have closed or begun again, and of earlier pages. */
  readonly before: Moved;
  readonly last: Report;
}

export interface PeerTraffic {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly bytesRelayed: number; // both directions
  readonly bytesFromHost: number;
  readonly bytesToHost: number;
}

/** Bytes between peers by the way they took, each counted once, by its sender; and to and from the host. */
export interface RunTraffic extends ByWay {
  readonly fromHost: number;
  readonly toHost: number;
}

const none: ByWay = { direct: 0, turn: 0, relayed: 0 };
const nothing: Moved = { sent: none, received: none, fromHost: 0, toHost: 0 };
const silent: Report = { links: [], bytesFromHost: 0, bytesToHost: 0 };

const plusEach = (a: ByWay, b: ByWay): ByWay => ({
  direct: a.direct + b.direct,
  turn: a.turn + b.turn,
  relayed: a.relayed + b.relayed,
});
const plus = (a: Moved, b: Moved): Moved => ({
  sent: plusEach(a.sent, b.sent),
  received: plusEach(a.received, b.received),
  fromHost: a.fromHost + b.fromHost,
  toHost: a.toHost + b.toHost,
});
const all = ({ direct, turn, relayed }: ByWay): number => direct + turn + relayed;

function movedBy({ links, bytesFromHost, bytesToHost }: Report): Moved {
  const sent = { ...none };
  const received = { ...none };
  for (const link of links) {
    sent[link.kind] += link.bytesSent;
    received[link.kind] += link.bytesReceived;
  }
  return { sent, received, fromHost: bytesFromHost, toHost: bytesToHost };
}

/** What of `last` the next report does not hold any more. A link that closed and moved more again before we heard of it counts short. */
function ended(last: Report, next: Report): Moved {
  const links = new Map(next.links.map((link) => [link.peer, link]));
  const closed = last.links.filter(({ peer, kind, bytesSent, bytesReceived }) => {
    const link = links.get(peer);
    // Through the relay and not through it are two links, one after the other. (TURN is learned while a link is open.)
    const same = link !== undefined && (link.kind === "relayed") === (kind === "relayed");
    return !same || link.bytesSent < bytesSent || link.bytesReceived < bytesReceived;
  });
  const reloaded = next.bytesFromHost < last.bytesFromHost || next.bytesToHost < last.bytesToHost;
  return movedBy({ ...(reloaded ? last : silent), links: closed });
}

export class TrafficLedger {
  private readonly accountByPeer = new Map<PeerId, Account>(); // last report newest
  private forgotten: Moved = nothing;

  report(peer: PeerId, report: Report): void {
    const { before, last } = this.accountByPeer.get(peer) ?? { before: nothing, last: silent };
    this.accountByPeer.delete(peer);
    this.accountByPeer.set(peer, { before: plus(before, ended(last, report)), last: report });
    if (this.accountByPeer.size <= PEERS_MAX) return;
    const [oldest, account] = this.accountByPeer.entries().next().value!;
    this.accountByPeer.delete(oldest);
    this.forgotten = plus(this.forgotten, plus(account.before, movedBy(account.last)));
  }

  of(peer: PeerId): PeerTraffic {
    const { before, last } = this.accountByPeer.get(peer) ?? { before: nothing, last: silent };
    const { sent, received, fromHost, toHost } = plus(before, movedBy(last));
    return {
      bytesSent: all(sent),
      bytesReceived: all(received),
      bytesRelayed: sent.relayed + received.relayed,
      bytesFromHost: fromHost,
      bytesToHost: toHost,
    };
  }

  total(): RunTraffic {
    let sum = this.forgotten;
    for (const { before, last } of this.accountByPeer.values()) sum = plus(sum, plus(before, movedBy(last)));
    return { ...sum.sent, fromHost: sum.fromHost, toHost: sum.toHost };
  }
}
