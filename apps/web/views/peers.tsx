// Who gives what: contribution is what commits name (tokens, and the share of all tokens), not what a peer says of itself.
import type { PeerId, PeerRow, RunDetail } from "#wire";
import { adapterName } from "./adapter.ts";
import { count, loss, rate, share, short, shortPeer } from "./format.ts";
import { peerStateWords } from "./words.ts";

export const PeerName = ({ id, name, self }: { id: PeerId; name: string; self: PeerId | null }) => (
  <span className="peer-name">
    <bdi>{name.trim() || "peer"}</bdi> <code title={id}>{shortPeer(id)}</code>
    {id === self ? <span className="tag">you</span> : null}
  </span>
);

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
}) => (
  <tr data-state={peer.state} aria-current={peer.id === self ? "true" : undefined}>
    <th scope="row">
      <PeerName id={peer.id} name={peer.name} self={self} />
    </th>
    <td>
      <span className="state" data-state={peer.state}>
        {peerStateWords[peer.state]}
      </span>
    </td>
    <td className="number">
      {count(peer.tokens)}
      <progress className="thread small" aria-hidden="true" max={Math.max(1, tokens)} value={peer.tokens} />
    </td>
    <td className="number">{share(peer.tokens, tokens)}</td>
    <td className="number">{count(peer.rounds)}</td>
    <td className="number">{loss(peer.loss)}</td>
    <td className="number">{peer.tokensPerSecond > 0 ? short(peer.tokensPerSecond) : "–"}</td>
    <td className="number">{sending}</td>
    <td>
      {peer.adapter ? adapterName(peer.adapter) : "–"}
      {peer.adapter?.backend === "webgpu" && peer.adapter.isFallback ? <span className="tag">software</span> : null}
    </td>
  </tr>
);

export const Peers = ({
  run,
  self,
  rateByPeer,
}: {
  run: RunDetail;
  self: PeerId | null;
  rateByPeer: ReadonlyMap<PeerId, { readonly sent: number; readonly received: number }>;
}) => {
  const rows = [...run.peers].sort((a, b) => b.tokens - a.tokens);
  const sending = (peer: PeerRow) => {
    const rates = rateByPeer.get(peer.id);
    return rates && peer.state !== "left" ? `↑ ${rate(rates.sent)} ↓ ${rate(rates.received)}` : "–";
  };
  return (
    <section aria-labelledby="peers" className="peers">
      <h2 id="peers">Contribution</h2>
      {rows.length === 0 ? (
        <p className="empty">Nobody has given anything yet. The first peer to donate heads this list.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <section className="scroll" aria-label="Peers, by committed tokens" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">Peer</th>
                <th scope="col">State</th>
                <th scope="col" className="number">
                  Committed tokens
                </th>
                <th scope="col" className="number">
                  Share
                </th>
                <th scope="col" className="number">
                  Rounds
                </th>
                <th scope="col" className="number">
                  Loss
                </th>
                <th scope="col" className="number">
                  Tokens/s
                </th>
                <th scope="col" className="number">
                  Links now
                </th>
                <th scope="col">Adapter</th>
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
      {run.peersTotal > rows.length ? (
        <p className="more">
          {count(rows.length)} of {count(run.peersTotal)} peers are shown.
        </p>
      ) : null}
    </section>
  );
};
