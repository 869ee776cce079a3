// Churn: who came, went, crashed, and why, newest first along one thread.
import { memo } from "react";
import type { ChurnRow, PeerId } from "#wire";
import { reasonCodeOf } from "#wire/reasons";
import { useWords } from "../words/index.ts";
import { PeerName } from "./peers.tsx";

const SHOWN_MAX = 60;

/** What we do not know is shown as the host told it. */
const Reason = ({ text }: { text: string }) => {
  const { churn } = useWords();
  const code = reasonCodeOf(text);
  if (text === "") return null;
  return code ? (
    <span className="reason">{churn.reasons[code]}</span>
  ) : (
    <span className="reason" lang="en">
      {text}
    </span>
  );
};

export const Churn = memo(({ churn: events, self }: { churn: readonly ChurnRow[]; self: PeerId | null }) => {
  const { churn, states, format } = useWords();
  const rows = events.slice(-SHOWN_MAX).reverse();
  return (
    <section aria-labelledby="churn" className="churn">
      <h2 id="churn">{churn.title}</h2>
      {rows.length === 0 ? (
        <p className="empty">{churn.empty}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <ol className="scroll timeline" aria-label={churn.label} tabIndex={0}>
          {rows.map((row) => (
            <li key={`${row.time} ${row.peer} ${row.kind}`} data-kind={row.kind}>
              <time dateTime={new Date(row.time).toISOString()}>{format.timeOfDay(row.time)}</time>
              <span className="what">
                <PeerName id={row.peer} name={row.name} self={self} /> <strong>{states.churn[row.kind]}</strong>
                <Reason text={row.reason} />
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
});
