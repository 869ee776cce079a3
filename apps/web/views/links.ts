// Rows of the bandwidth table: one per pair of peers, whichever of the two ends reported it.
import type { LinkReport, PeerId, RunDetail } from "#wire";
import { type LinkView, linkKey, type Rate } from "../window/types.ts";

export interface LinkRow {
  readonly from: PeerId;
  readonly fromName: string;
  readonly to: PeerId;
  readonly toName: string;
  readonly kind: LinkReport["kind"];
  readonly sent: number; //           bytes, from -> to
  readonly received: number; //       bytes, to -> from
  readonly rate: Rate | null; //      null: not measured yet
  readonly rttMs: number | null;
}

/** Links of this browser, as it measures them itself. */
export const ownLinks = (peer: PeerId, name: string, links: readonly LinkView[]): LinkRow[] =>
  links.map((link) => ({
    from: peer,
    fromName: name,
    to: link.peer,
    toName: link.name,
    kind: link.kind,
    sent: link.bytesSent,
    received: link.bytesReceived,
    rate: { sent: link.sendBytesPerSecond, received: link.receiveBytesPerSecond },
    rttMs: link.rttMs,
  }));

/** The other end's measurement, seen from this one. */
const turned = (rate: Rate | undefined): Rate | null => (rate ? { sent: rate.received, received: rate.sent } : null);

/** Links of the whole run as their ends report them. Both ends measure a link: the smaller peer id's report is shown when both are there. */
export function runLinks(run: RunDetail, rateByLink: ReadonlyMap<string, Rate>): LinkRow[] {
  const byId = new Map(run.peers.map((peer) => [peer.id, peer]));
  const rows: LinkRow[] = [];
  for (const peer of run.peers) {
    if (peer.state === "left") continue;
    for (const link of peer.links) {
      const otherReports = byId.get(link.peer)?.links.some((back) => back.peer === peer.id) ?? false;
      if (otherReports && link.peer < peer.id) continue;
      rows.push({
        from: peer.id,
        fromName: peer.name,
        to: link.peer,
        toName: byId.get(link.peer)?.name ?? "",
        kind: link.kind,
        sent: link.bytesSent,
        received: link.bytesReceived,
        rate: rateByLink.get(linkKey(peer.id, link.peer)) ?? turned(rateByLink.get(linkKey(link.peer, peer.id))),
        rttMs: link.rttMs,
      });
    }
  }
  return rows;
}

/** Bytes in all, by the way they took, also of peers who left. */
export type TrafficTotals = RunDetail["traffic"] & {
  readonly updatesByHost: number; // update bytes that the host served
};

export const trafficTotals = (run: RunDetail): TrafficTotals => ({
  ...run.traffic,
  updatesByHost: run.updateBytesServed,
});
