// The end of a run: why, the result, whose work it is, and where the model is.
import type { PeerId, RunDetail } from "#wire";
import { useWords } from "../words/index.ts";
import { Rich } from "../words/rich.tsx";
import { PeerName } from "./peers.tsx";
import { EvalMeasures } from "./run-now.tsx";
import { endLine } from "./state-lines.ts";

const CREDITED_MAX = 12;

export const Ended = ({ run, hostBase, self }: { run: RunDetail; hostBase: string; self: PeerId | null }) => {
  const words = useWords();
  const { ended, now, charts, format } = words;
  const credited = run.peers.filter(({ tokens }) => tokens > 0).sort((a, b) => b.tokens - a.tokens);
  const mine = credited.find(({ id }) => id === self);
  const rest = credited.length - CREDITED_MAX;
  return (
    <section aria-labelledby="ended" className="panel ended">
      <h2 id="ended">{ended.title}</h2>
      <p>{endLine(words, run.endReason)}</p>
      <dl className="figures" aria-label={ended.result}>
        <div>
          <dt>{now.evalLoss}</dt>
          <dd>
            {format.loss(run.head.evalLoss)} <small>{charts.natsPerToken}</small>
          </dd>
          <EvalMeasures head={run.head} />
        </div>
        <div>
          <dt>{ended.rounds}</dt>
          <dd>{format.count(run.head.round)}</dd>
        </div>
        <div>
          <dt>{ended.tokens}</dt>
          <dd>{format.sizeInWords(run.head.tokens)}</dd>
        </div>
        {mine ? (
          <div>
            <dt>{ended.share}</dt>
            <dd>{format.share(mine.tokens, run.tokens)}</dd>
          </div>
        ) : null}
      </dl>
      <h3>{ended.madeBy}</h3>
      {credited.length === 0 ? (
        <p className="empty">{ended.nobody}</p>
      ) : (
        <ol className="credit">
          {credited.slice(0, CREDITED_MAX).map((peer) => (
            <li key={peer.id}>
              <PeerName id={peer.id} name={peer.name} self={self} /> {format.share(peer.tokens, run.tokens)}
            </li>
          ))}
        </ol>
      )}
      {rest > 0 ? <p className="more">{ended.more(rest)}</p> : null}
      <h3>{ended.takeHome}</h3>
      <ul className="downloads">
        <li>
          <Rich text={ended.modelMore} link={<a href="#try">{ended.model}</a>} />
        </li>
        <li>
          <Rich
            text={ended.checkpointMore(run.spec.modelLicence)}
            link={<a href={`${hostBase}/api/runs/${run.id}/checkpoints/latest`}>{ended.checkpoint}</a>}
            anchor={<code title={run.head.anchorHash}>{run.head.anchorHash.slice(0, 12)}…</code>}
          />
        </li>
        <li>
          <Rich text={ended.logMore} link={<a href={`${hostBase}/api/runs/${run.id}/log`}>{ended.log}</a>} />
        </li>
      </ul>
    </section>
  );
};
