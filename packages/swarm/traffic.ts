// A peer reports what its open links moved since they opened; links close and open again, and the sum must not fall back.
import type { LinkReport, PeerId } from "#wire";

export interface Traffic {
  /** Of links that have closed or begun again. */
  readonly before: { readonly bytesSent: number; readonly bytesReceived: number; readonly bytesRelayed: number };
  readonly lastByPeer: ReadonlyMap<PeerId, LinkReport>;
  readonly total: {
    readonly bytesSent: number;
    readonly bytesReceived: number;
    readonly bytesRelayed: number;
    readonly bytesFromHost: number;
    readonly bytesToHost: number;
  };
}

export const noTraffic: Traffic = {
  before: { bytesSent: 0, bytesReceived: 0, bytesRelayed: 0 },
  lastByPeer: new Map(),
  total: { bytesSent: 0, bytesReceived: 0, bytesRelayed: 0, bytesFromHost: 0, bytesToHost: 0 },
};

export function addTraffic(
  { before, lastByPeer }: Traffic,
  report: { links: readonly LinkReport[]; bytesFromHost: number; bytesToHost: number },
): Traffic {
  const links = new Map(report.links.map((link) => [link.peer, link]));
  const closed = [...lastByPeer.values()].filter((last) => {
    const link = links.get(last.peer);
    return link === undefined || link.bytesSent < last.bytesSent || link.bytesReceived < last.bytesReceived;
  });
  const base = sum(before, closed);
  const { bytesFromHost, bytesToHost } = report;
  return { before: base, lastByPeer: links, total: { ...sum(base, report.links), bytesFromHost, bytesToHost } };
}

function sum(base: Traffic["before"], links: readonly LinkReport[]): Traffic["before"] {
  let { bytesSent, bytesReceived, bytesRelayed } = base;
  for (const link of links) {
    bytesSent += link.bytesSent;
    bytesReceived += link.bytesReceived;
    if (link.kind === "relayed") bytesRelayed += link.bytesSent + link.bytesReceived;
  }
  return { bytesSent, bytesReceived, bytesRelayed };
}
