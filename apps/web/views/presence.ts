// Who is here: the list also keeps who left, for credit.
import type { Overview, PeerId, PeerRow, RunDetail } from "#wire";

export const peersHere = (run: RunDetail): readonly PeerRow[] => run.peers.filter(({ state }) => state !== "left");

/** The overview counts everybody; the run's document has a page of them. */
export const hereCount = (run: RunDetail, overview: Overview | null): number =>
  overview && run.peersTotal > run.peers.length
    ? Object.values(overview.peersByState).reduce((sum, peers) => sum + peers, 0)
    : peersHere(run).length;

export const othersHere = (run: RunDetail, self: PeerId | null): number =>
  peersHere(run).filter(({ id }) => id !== self).length;
