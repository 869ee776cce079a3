// For a wall: what is read from across a room. Nothing to press, nothing to scroll.
import type { PageSnapshot } from "../page-state.ts";
import { useWords } from "../words/index.ts";
import { LossChart, PeersChart } from "./charts.tsx";
import { PeerName } from "./peers.tsx";
import { storyOf } from "./round-story.ts";
import { RunNow } from "./run-now.tsx";

/** As many as a screen of 1080 lines has room for. */
const LEADERS = 6;

export const Kiosk = ({ page: { watcher, axis } }: { page: PageSnapshot }) => {
  const words = useWords();
  const { format, peers, frame } = words;
  const { run, overview, connection, rounds } = watcher;
  if (run === null)
    return (
      <main id="main" className="kiosk">
        <h1>{frame.slogan}</h1>
        <p role="status">{connection === "unknown-run" ? frame.unknownRunMore : frame.asking}</p>
      </main>
    );
  const leaders = [...run.peers].sort((a, b) => b.tokens - a.tokens).slice(0, LEADERS);
  const newest = rounds.findLast(({ sealedAt }) => sealedAt !== null);
  return (
    <main id="main" className="kiosk">
      <header>
        <h1>{run.name}</h1>
        <p className="purpose">{run.spec.purpose}</p>
      </header>
      <RunNow run={run} overview={overview} self={null} stale={connection === "retrying"} />
      <section aria-label={words.charts.title} className="kiosk-chart">
        <LossChart watcher={watcher} axis={axis} />
        {newest ? <p className="story">{storyOf(words, newest)}</p> : null}
      </section>
      <section aria-label={words.charts.peers} className="kiosk-chart">
        <PeersChart watcher={watcher} axis={axis} />
      </section>
      <section aria-labelledby="leaders" className="leaders">
        <h2 id="leaders">{peers.title}</h2>
        {leaders.length === 0 ? (
          <p className="empty">{peers.empty}</p>
        ) : (
          <ol>
            {leaders.map((peer) => (
              <li key={peer.id}>
                <PeerName id={peer.id} name={peer.name} self={null} />{" "}
                <strong>{format.share(peer.tokens, run.tokens)}</strong>
                <progress className="thread" aria-hidden="true" max={Math.max(1, run.tokens)} value={peer.tokens} />
              </li>
            ))}
          </ol>
        )}
      </section>
    </main>
  );
};
