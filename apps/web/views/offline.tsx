// Where no host answers: what was last seen of the run, what is kept here, and what waits. The page comes back by itself.
import type { PageSnapshot } from "../page-state.ts";
import { useWords } from "../words/index.ts";

export const Offline = ({ lastSeen }: Pick<PageSnapshot, "lastSeen">) => {
  const { offline, about, format } = useWords();
  return (
    <section className="about" aria-labelledby="about">
      <h1 id="about">{lastSeen?.name ?? offline.title}</h1>
      <p className="purpose">{offline.more}</p>
      <dl className="facts">
        {lastSeen ? (
          <>
            <div>
              <dt>{offline.lastSeen}</dt>
              <dd>
                <time dateTime={new Date(lastSeen.at).toISOString()}>{format.dateAndTime(lastSeen.at)}</time>
              </dd>
            </div>
            <div>
              <dt>{offline.hadThen}</dt>
              <dd>
                {about.soFarText(lastSeen.round, lastSeen.tokens)}, {offline.peers(lastSeen.peers)}
                {lastSeen.trainLoss === null ? "" : `, ${offline.loss(format.nats(lastSeen.trainLoss))}`}
              </dd>
            </div>
          </>
        ) : null}
        <div>
          <dt>{offline.kept}</dt>
          <dd>{offline.keptText}</dd>
        </div>
        <div>
          <dt>{offline.waits}</dt>
          <dd>{offline.waitsText}</dd>
        </div>
      </dl>
    </section>
  );
};
