// The page, whole: header, what the run is, the person's side (donate only), the run live. A function of one snapshot.
import type { MouseEvent } from "react";
import { machineProblem } from "../machine.ts";
import type { PageActions, PageSnapshot, Place } from "../page-state.ts";
import { AboutRun } from "./about-run.tsx";
import { Bandwidth } from "./bandwidth.tsx";
import { Charts } from "./charts.tsx";
import { Churn } from "./churn.tsx";
import { DonorPanel } from "./donor-panel.tsx";
import { Ended } from "./ended.tsx";
import { donationCost, roundMsOf } from "./estimate.ts";
import { Peers } from "./peers.tsx";
import { donateHref, watchHref } from "./places.ts";
import { othersHere } from "./presence.ts";
import { RunNow } from "./run-now.tsx";
import { announcement, stateLine } from "./words.ts";

/** Changes the place without leaving the page: a donation in this tab goes on. With a modifier key the browser does as it always does. */
const visit = (go: PageActions["go"], to: Place) => (event: MouseEvent) => {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(to);
};

const Header = ({ page: { place, runName }, actions: { go } }: { page: PageSnapshot; actions: PageActions }) => (
  <header className="top">
    <a className="brand" href={donateHref(runName)} onClick={visit(go, "donate")}>
      <img src="/icon.svg" alt="" width="28" height="28" />
      Gossamer
    </a>
    <nav aria-label="Pages">
      <a
        href={donateHref(runName)}
        onClick={visit(go, "donate")}
        aria-current={place === "donate" ? "page" : undefined}
      >
        Donate
      </a>
      <a href={watchHref(runName)} onClick={visit(go, "watch")} aria-current={place === "watch" ? "page" : undefined}>
        Watch
      </a>
    </nav>
  </header>
);

/** What the host says, or that it says nothing. While donating, the donor's own notice tells the same. */
const HostState = ({ watcher, donor, runName }: PageSnapshot) => {
  const told = donor.notices.some(({ code }) => code === "host-gone");
  if (watcher.connection === "unknown-run")
    return (
      <div className="banner" role="alert">
        <p>
          <strong>The host knows no run “{runName}”.</strong> The address may be mistyped, or the host keeps it no
          longer. <a href="/">Open the run that this host offers.</a>
        </p>
      </div>
    );
  if (watcher.connection === "retrying" && !told)
    return (
      <div className="banner" role="status">
        <p>
          <strong>The host does not answer.</strong> This page tries again by itself
          {watcher.run
            ? "; what you see is the last that it said. Peers that are linked go on training for a while."
            : "."}
        </p>
      </div>
    );
  if (watcher.connection === "connecting" && watcher.run === null)
    return (
      <p className="banner quiet" role="status">
        Asking the host about its run…
      </p>
    );
  return null;
};

function titleOf({ place, donor, watcher }: PageSnapshot): string {
  const name = watcher.run?.name ?? "Gossamer";
  if (place === "watch") return `${name}, watching – Gossamer`;
  if (donor.status === "idle") return watcher.run ? `${name} – Gossamer` : "Gossamer";
  return `${stateLine(donor).split(":")[0]} – ${name}`;
}

const Footer = ({ watcher }: PageSnapshot) => (
  <footer>
    <p>
      Gossamer trains one transformer in borrowed browsers. The page talks to its host and to the other peers, and to
      nobody else.
    </p>
    {watcher.run ? (
      <p className="fine">
        Run <code title={watcher.run.id}>{watcher.run.id.slice(0, 12)}</code>, build <code>{watcher.run.build}</code>
      </p>
    ) : null}
  </footer>
);

const About = ({ watcher: { run, trainLoss }, donor }: PageSnapshot) =>
  run ? (
    <AboutRun run={run} cost={donationCost(run.spec, othersHere(run, donor.peer), roundMsOf(trainLoss))} />
  ) : (
    <section className="about" aria-labelledby="about">
      <h1 id="about">Train a transformer with borrowed browsers</h1>
      <p className="purpose">Volunteers open a page, give their GPU for a while, and one model learns from all.</p>
    </section>
  );

/** Before the button, terms follow the run's description; afterwards what this GPU does comes first. */
const First = ({ page, actions }: { page: PageSnapshot; actions: PageActions }) => {
  const { place, donor, watcher } = page;
  const about = <About key="about" {...page} />;
  if (watcher.run?.state === "ended")
    return (
      <div className="first">
        {[about, <Ended key="ended" run={watcher.run} hostBase={watcher.hostBase} self={donor.peer} />]}
      </div>
    );
  if (place === "watch") return <div className="first">{about}</div>;
  const panel = <DonorPanel key="panel" page={page} actions={actions} />;
  if (donor.status !== "idle") return <div className="first">{[panel, about]}</div>;
  // Nobody is asked for anything before the page can say what for.
  const asks = watcher.run !== null || machineProblem(page.machine) !== null;
  return <div className="first">{asks ? [about, panel] : about}</div>;
};

export const Page = ({ page, actions }: { page: PageSnapshot; actions: PageActions }) => {
  const { place, donor, watcher } = page;
  const { run } = watcher;
  return (
    <>
      <title>{titleOf(page)}</title>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <p className="sr-only" role="status">
        {announcement(page)}
      </p>
      <Header page={page} actions={actions} />
      <main id="main" data-place={place}>
        <HostState {...page} />
        {place === "watch" && (donor.status === "donating" || donor.status === "starting") ? (
          <p className="banner quiet">This tab goes on donating; “Donate” above leads back to its buttons.</p>
        ) : null}
        <First page={page} actions={actions} />
        {run ? (
          <>
            <div className="two">
              <RunNow run={run} self={donor.peer} stale={watcher.connection === "retrying"} />
              <Churn run={run} self={donor.peer} />
            </div>
            <Charts page={page} actions={actions} />
            <Peers run={run} self={donor.peer} rateByPeer={watcher.rateByPeer} />
            <Bandwidth page={page} />
          </>
        ) : null}
      </main>
      <Footer {...page} />
    </>
  );
};
