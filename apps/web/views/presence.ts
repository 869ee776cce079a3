// Who is here: the list also keeps who left, for credit.
import type { PeerId, PeerRow, RunDetail } from "#wire";

export const peersHere = (run: RunDetail): readonly PeerRow[] => run.peers.filter(({ state }) => state !== "left");

export const othersHere = (run: RunDetail, self: PeerId | null): number =>
  peersHere(run).filter(({ id }) => id !== self).length;
