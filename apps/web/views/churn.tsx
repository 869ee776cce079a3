// Churn: who came, went, crashed, and why, newest first along one thread.
import type { PeerId, RunDetail } from "#wire";
import { timeOfDay } from "./format.ts";
import { PeerName } from "./peers.tsx";
import { churnWords } from "./words.ts";

const SHOWN_MAX = 60;

export const Churn = ({ run, self }: { run: RunDetail; self: PeerId | null }) => {
  const rows = run.churn.slice(-SHOWN_MAX).reverse();
  return (
    <section aria-labelledby="churn" className="churn">
      <h2 id="churn">Comings and goings</h2>
      {rows.length === 0 ? (
        <p className="empty">Nobody has come or gone since the host started.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <ol className="scroll timeline" aria-label="Joins, leaves and crashes, newest first" tabIndex={0}>
          {rows.map((row) => (
            <li key={`${row.time} ${row.peer} ${row.kind}`} data-kind={row.kind}>
              <time dateTime={new Date(row.time).toISOString()}>{timeOfDay(row.time)}</time>
              <span className="what">
                <PeerName id={row.peer} name={row.name} self={self} /> <strong>{churnWords[row.kind]}</strong>
                {row.reason ? <span className="reason">{row.reason}</span> : null}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
};
