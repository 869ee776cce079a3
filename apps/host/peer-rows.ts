// A run's peers as its page shows them: who is here, then who left and has credit; each by tokens.
import type { Sequencer, SequencerView } from "#swarm";
import type { Member, PeerId, PeerRow } from "#wire";

export interface PeerRowsGiven {
  readonly log: Pick<Sequencer["log"], "contributions">;
  readonly traffic: Pick<Sequencer["traffic"], "of">;
  readonly peers: SequencerView["peers"];
  /** Name and adapter, also of who left, as long as they are remembered. */
  readonly memberOf: (peer: PeerId) => Member | undefined;
}

export function peerRows(given: PeerRowsGiven): PeerRow[] {
  const { contributions } = given.log;
  const creditOf = (peer: PeerId) => contributions.get(peer) ?? { tokens: 0, rounds: 0, refused: 0, loss: null };
  const here = given.peers.map((peer): PeerRow => {
    const credit = creditOf(peer.member.peer);
    return {
      id: peer.member.peer,
      name: peer.member.name,
      state: peer.state,
      adapter: peer.member.adapter,
      tokens: credit.tokens,
      rounds: credit.rounds,
      refused: credit.refused + peer.refused,
      loss: peer.loss ?? credit.loss,
      step: peer.step,
      tokensPerSecond: peer.tokensPerSecond,
      bytesSent: peer.bytesSent,
      bytesReceived: peer.bytesReceived,
      bytesRelayed: peer.bytesRelayed,
      bytesFromHost: peer.bytesFromHost,
      bytesToHost: peer.bytesToHost,
      links: [...peer.links],
    };
  });
  const present = new Set(here.map(({ id }) => id));
  const gone = [...contributions.keys()].filter((peer) => !present.has(peer)).map((peer) => goneRow(given, peer));
  const byTokens = (a: PeerRow, b: PeerRow) => b.tokens - a.tokens || (a.id < b.id ? -1 : 1);
  return [...here.sort(byTokens), ...gone.sort(byTokens)];
}

function goneRow({ log, traffic, memberOf }: PeerRowsGiven, peer: PeerId): PeerRow {
  const { tokens, rounds, refused, loss } = log.contributions.get(peer)!;
  const member = memberOf(peer);
  return {
    id: peer,
    name: member?.name ?? "",
    state: "left",
    adapter: member?.adapter ?? null,
    tokens,
    rounds,
    refused,
    loss,
    step: 0,
    tokensPerSecond: 0,
    ...traffic.of(peer),
    links: [],
  };
}
