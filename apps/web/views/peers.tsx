// Who gives what: contribution is what commits name (tokens, and the share of all tokens), not what a peer says of itself.
import type { PeerId, PeerRow, RunDetail } from "#wire";
import { shortPeer } from "../words/format.ts";
import { useWords } from "../words/index.ts";
import { adapterName } from "./adapter.ts";

export const PeerName = ({ id, name, self }: { id: PeerId; name: string; self: PeerId | null }) => {
  const { peers } = useWords();
  return (
    <span className="peer-name">
      <bdi>{name.trim() || peers.nameless}</bdi> <code title={id}>{shortPeer(id)}</code>
      {id === self ? <span className="tag">{peers.you}</span> : null}
    </span>
  );
};

const Row = ({
  peer,
  tokens,
  self,
  sending,
}: {
  peer: PeerRow;
  tokens: number;
  self: PeerId | null;
  sending: string;
}) => {
  const words = useWords();
  const { format } = words;
  return (
    <tr data-state={peer.state} aria-current={peer.id === self ? "true" : undefined}>
      <th scope="row">
        <PeerName id={peer.id} name={peer.name} self={self} />
      </th>
      <td>
        <span className="state" data-state={peer.state}>
          {words.states.peer[peer.state]}
        </span>
      </td>
      <td className="number">
        {format.count(peer.tokens)}
        <progress className="thread small" aria-hidden="true" max={Math.max(1, tokens)} value={peer.tokens} />
      </td>
      <td className="number">{format.share(peer.tokens, tokens)}</td>
      <td className="number">{format.count(peer.rounds)}</td>
      <td className="number">{format.loss(peer.loss)}</td>
      <td className="number">{peer.tokensPerSecond > 0 ? format.short(peer.tokensPerSecond) : "–"}</td>
      <td className="number">{sending}</td>
      <td>
        {peer.adapter ? adapterName(words, peer.adapter) : "–"}
        {peer.adapter?.backend === "webgpu" && peer.adapter.isFallback ? (
          <span className="tag">{words.peers.software}</span>
        ) : null}
      </td>
    </tr>
  );
};

export const Peers = ({
  run,
  self,
  rateByPeer,
}: {
  run: RunDetail;
  self: PeerId | null;
  rateByPeer: ReadonlyMap<PeerId, { readonly sent: number; readonly received: number }>;
}) => {
  const { peers, format } = useWords();
  const rows = [...run.peers].sort((a, b) => b.tokens - a.tokens);
  const sending = (peer: PeerRow) => {
    const rates = rateByPeer.get(peer.id);
    return rates && peer.state !== "left" ? `↑ ${format.rate(rates.sent)} ↓ ${format.rate(rates.received)}` : "–";
  };
  return (
    <section aria-labelledby="peers" className="peers">
      <h2 id="peers">{peers.title}</h2>
      {rows.length === 0 ? (
        <p className="empty">{peers.empty}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <section className="scroll" aria-label={peers.label} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{peers.peer}</th>
                <th scope="col">{peers.state}</th>
                <th scope="col" className="number">
                  {peers.tokens}
                </th>
                <th scope="col" className="number">
                  {peers.share}
                </th>
                <th scope="col" className="number">
                  {peers.rounds}
                </th>
                <th scope="col" className="number">
                  {peers.loss}
                </th>
                <th scope="col" className="number">
                  {peers.speed}
                </th>
                <th scope="col" className="number">
                  {peers.links}
                </th>
                <th scope="col">{peers.adapter}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((peer) => (
                <Row key={peer.id} peer={peer} tokens={run.tokens} self={self} sending={sending(peer)} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {run.peersTotal > rows.length ? <p className="more">{peers.some(rows.length, run.peersTotal)}</p> : null}
    </section>
  );
};
