// The run as it was after a round of the past.
import type { Moment } from "#wire";
import { useWords } from "../words/index.ts";

export const RunThen = ({ moment }: { moment: Moment }) => {
  const { now, past, format } = useWords();
  const { round, time, trainLoss, evalLoss, tokens, times, anchorHash, standingsTotal } = moment;
  return (
    <section aria-labelledby="now" className="now then">
      <h2 id="now">{past.title}</h2>
      <div className="round">
        <p className="round-line">
          <span className="round-number">{now.round(round)}</span>
          <time className="round-phase" dateTime={new Date(time).toISOString()}>
            {format.dateAndTime(time)}
          </time>
        </p>
        <p className="round-detail">
          {past.anchor} <code title={anchorHash}>{anchorHash.slice(0, 12)}</code>
        </p>
      </div>
      <dl className="figures" aria-label={past.figures}>
        <div>
          <dt>{now.trainLoss}</dt>
          <dd>{format.loss(trainLoss)}</dd>
        </div>
        <div>
          <dt>{now.evalLoss}</dt>
          <dd>{format.loss(evalLoss)}</dd>
        </div>
        <div>
          <dt>{now.tokens}</dt>
          <dd>{format.sizeInWords(tokens)}</dd>
        </div>
        <div>
          <dt>{past.roster}</dt>
          <dd>{format.count(times.rosterSize)}</dd>
        </div>
        <div>
          <dt>{past.credited}</dt>
          <dd>{format.count(standingsTotal)}</dd>
        </div>
      </dl>
    </section>
  );
};
