// The end of a run: why, the result, whose work it is, and where the model is.
import type { PeerId, RunDetail } from "#wire";
import { count, loss, sentence, share, sizeInWords } from "./format.ts";
import { PeerName } from "./peers.tsx";

const CREDITED_MAX = 12;

export const Ended = ({ run, hostBase, self }: { run: RunDetail; hostBase: string; self: PeerId | null }) => {
  const credited = run.peers.filter(({ tokens }) => tokens > 0).sort((a, b) => b.tokens - a.tokens);
  const mine = credited.find(({ id }) => id === self);
  const rest = credited.length - CREDITED_MAX;
  return (
    <section aria-labelledby="ended" className="panel ended">
      <h2 id="ended">This run has ended</h2>
      <p>{sentence(run.endReason ?? "Its goal is reached")}</p>
      <dl className="figures" aria-label="Result">
        <div>
          <dt>Held-out loss</dt>
          <dd>
            {loss(run.head.evalLoss)} <small>nats per token</small>
          </dd>
        </div>
        <div>
          <dt>Rounds</dt>
          <dd>{count(run.head.round)}</dd>
        </div>
        <div>
          <dt>Tokens</dt>
          <dd>{sizeInWords(run.head.tokens)}</dd>
        </div>
        {mine ? (
          <div>
            <dt>Your share</dt>
            <dd>{share(mine.tokens, run.tokens)}</dd>
          </div>
        ) : null}
      </dl>
      <h3>Made by</h3>
      {credited.length === 0 ? (
        <p className="empty">No contribution was committed.</p>
      ) : (
        <ol className="credit">
          {credited.slice(0, CREDITED_MAX).map((peer) => (
            <li key={peer.id}>
              <PeerName id={peer.id} name={peer.name} self={self} /> {share(peer.tokens, run.tokens)}
            </li>
          ))}
        </ol>
      )}
      {rest > 0 ? <p className="more">and {count(rest)} more, in the list below.</p> : null}
      <h3>Take it home</h3>
      <ul className="downloads">
        <li>
          <a href={`${hostBase}/api/runs/${run.id}/checkpoints/latest`}>Newest checkpoint</a>: what its files are and
          their hashes (JSON). Anchor <code title={run.head.anchorHash}>{run.head.anchorHash.slice(0, 12)}…</code>,
          licence {run.spec.modelLicence}
        </li>
        <li>
          <a href={`${hostBase}/api/runs/${run.id}/log`}>The run’s log</a>: every round, signed, for a replay (JSON)
        </li>
      </ul>
    </section>
  );
};
