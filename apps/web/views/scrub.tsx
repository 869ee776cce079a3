// The way through the run's past: drag to any round, replay from there, and back to live. The address names the round.
import type { PageActions } from "../page-state.ts";
import type { WatcherSnapshot } from "../window/types.ts";
import { useWords } from "../words/index.ts";
import { shownOf } from "./moment.ts";

/** Rounds a second. */
const SPEEDS = [1, 10, 100, 1000] as const;
/** With fewer there is no way to go. */
const ROUNDS_MIN = 2;

interface ScrubProps {
  readonly watcher: WatcherSnapshot;
  readonly actions: Pick<PageActions, "showRound" | "play">;
}

export const Scrub = ({ watcher, actions }: ScrubProps) => {
  const { scrub, format } = useWords();
  const { run, momentAsked, roundsPerSecond } = watcher;
  const last = run?.head.round ?? 0;
  if (last < ROUNDS_MIN) return null;
  const at = momentAsked ?? last;
  const moment = shownOf(watcher);
  return (
    <div className="scrub" data-live={momentAsked === null}>
      <label className="scrub-range">
        <span className="sr-only">{scrub.label}</span>
        <input
          type="range"
          min={1}
          max={last}
          value={at}
          aria-valuetext={scrub.value(at, last)}
          onChange={({ target }) => {
            const round = Number(target.value);
            actions.showRound(round >= last ? null : round);
          }}
        />
      </label>
      <p className="scrub-state">
        {momentAsked === null ? (
          <strong>{scrub.live}</strong>
        ) : (
          <>
            <strong>{scrub.round(momentAsked)}</strong>{" "}
            {moment ? (
              <time dateTime={new Date(moment.time).toISOString()}>{format.dateAndTime(moment.time)}</time>
            ) : (
              scrub.loading
            )}{" "}
            <a
              href="?"
              onClick={(event) => {
                event.preventDefault();
                actions.showRound(null);
              }}
            >
              {scrub.toLive}
            </a>
          </>
        )}
      </p>
      <label className="scrub-speed">
        {scrub.replay}
        <select
          value={roundsPerSecond}
          onChange={({ target }) => {
            if (momentAsked === null) actions.showRound(1);
            actions.play(Number(target.value));
          }}
        >
          <option value={0}>{scrub.still}</option>
          {SPEEDS.map((speed) => (
            <option key={speed} value={speed}>
              {scrub.speed(speed)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
};
