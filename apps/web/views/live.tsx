// The run, live or as it was: a way through its past, a way through its sections, and the sections.
import type { ReactNode } from "react";
import type { PageActions, PageSnapshot } from "../page-state.ts";
import { useWords } from "../words/index.ts";
import { Anchors } from "./anchors.tsx";
import { Bandwidth } from "./bandwidth.tsx";
import { Charts } from "./charts.tsx";
import { Churn } from "./churn.tsx";
import { Machines } from "./machines.tsx";
import { Mesh } from "./mesh.tsx";
import { shownOf } from "./moment.ts";
import { Peers } from "./peers.tsx";
import { hereCount } from "./presence.ts";
import { Rounds } from "./rounds.tsx";
import { RunNow } from "./run-now.tsx";
import { RunThen } from "./run-then.tsx";
import { Scrub } from "./scrub.tsx";
import { Seen } from "./seen.tsx";
import { TrySection } from "./try-section.tsx";

/** Ids of their headings. */
const SECTIONS = ["now", "learning", "try", "rounds", "peers", "mesh", "bandwidth", "anchors", "machines"] as const;

const Sections = () => {
  const { sections } = useWords();
  return (
    <nav aria-label={sections.label} className="sections">
      {SECTIONS.map((section) => (
        <a key={section} href={`#${section}`}>
          {sections[section]}
        </a>
      ))}
    </nav>
  );
};

interface LiveProps {
  readonly page: PageSnapshot;
  readonly actions: PageActions;
  /** Of a visitor who came to watch, or cannot donate: after what is going on now. */
  readonly panel: ReactNode;
}

export const Live = ({ page, actions, panel }: LiveProps) => {
  const { donor, watcher, axis } = page;
  const { run, rounds, overview, mesh, connection } = watcher;
  if (run === null) return null;
  const moment = shownOf(watcher);
  return (
    <>
      <div className="ways">
        <Sections />
        <Scrub watcher={watcher} actions={actions} />
      </div>
      <Seen>
        <div className="two">
          {moment ? (
            <RunThen moment={moment} />
          ) : (
            <RunNow run={run} overview={overview} self={donor.peer} stale={connection === "retrying"} />
          )}
          <Churn churn={run.churn} self={donor.peer} />
        </div>
      </Seen>
      {run.state === "ended" ? null : panel}
      <Seen>
        <Charts watcher={watcher} donor={donor} axis={axis} setAxis={actions.setAxis} />
      </Seen>
      <Seen>
        <TrySection page={page} />
      </Seen>
      <Seen>
        <Rounds rounds={rounds} past={moment?.times ?? null} self={donor.peer} diagnosis={overview?.diagnosis} />
      </Seen>
      <Seen>
        <Peers watcher={watcher} self={donor.peer} wantPeers={actions.wantPeers} />
      </Seen>
      <Seen>
        <Mesh mesh={mesh} self={donor.peer} peers={hereCount(run, overview)} />
      </Seen>
      <Seen>
        <Bandwidth watcher={watcher} donor={donor} axis={axis} />
      </Seen>
      <Seen>
        <Anchors rounds={rounds} />
      </Seen>
      <Seen>
        <Machines overview={overview} />
      </Seen>
    </>
  );
};
