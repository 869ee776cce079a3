// The page, whole: header, what the run is, the person's side (donate only), the run live. A function of one snapshot.
import type { MouseEvent } from "react";
import { machineProblem, missingGpu } from "../machine.ts";
import type { PageActions, PageSnapshot, Place } from "../page-state.ts";
import { useWords, type Words, WordsContext } from "../words/index.ts";
import type { Language } from "../words/language.ts";
import { Rich } from "../words/rich.tsx";
import { AboutRun } from "./about-run.tsx";
import { DonorPanel } from "./donor-panel.tsx";
import { Ended } from "./ended.tsx";
import { donationCost, roundMsOf } from "./estimate.ts";
import { Kiosk } from "./kiosk.tsx";
import { LanguageChoice } from "./language-choice.tsx";
import { Live } from "./live.tsx";
import { Offline } from "./offline.tsx";
import { donateHref, watchHref } from "./places.ts";
import { othersHere } from "./presence.ts";
import { announcement, stateTitle } from "./state-lines.ts";

/** Changes the place without leaving the page: a donation in this tab goes on. With a modifier key the browser does as it always does. */
const visit = (go: PageActions["go"], to: Place) => (event: MouseEvent) => {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(to);
};

const Header = ({ page: { place, runName }, actions: { go, speak } }: { page: PageSnapshot; actions: PageActions }) => {
  const { frame, language } = useWords();
  return (
    <header className="top">
      <a className="brand" href={donateHref(runName)} onClick={visit(go, "donate")}>
        <img src="./icon.svg" alt="" width="28" height="28" />
        Gossamer
      </a>
      <nav aria-label={frame.pages}>
        <a
          href={donateHref(runName)}
          onClick={visit(go, "donate")}
          aria-current={place === "donate" ? "page" : undefined}
        >
          {frame.donate}
        </a>
        <a href={watchHref(runName)} onClick={visit(go, "watch")} aria-current={place === "watch" ? "page" : undefined}>
          {frame.watch}
        </a>
      </nav>
      <LanguageChoice label={frame.language} language={language as Language} speak={speak} />
    </header>
  );
};

/** What the host says, or that it says nothing. While donating, the donor's own notice tells the same. */
const HostState = ({ watcher, donor, runName }: PageSnapshot) => {
  const { frame } = useWords();
  const told = donor.notices.some(({ code }) => code === "host-gone" || code === "line-blocked");
  if (watcher.connection === "unknown-run")
    return (
      <div className="banner" role="alert">
        <p>
          <strong>{frame.unknownRun(runName)}</strong> {frame.unknownRunMore} <a href="./">{frame.openOffered}</a>
        </p>
      </div>
    );
  if (watcher.connection === "retrying" && !told)
    return (
      <div className="banner" role="status">
        <p>
          <strong>{frame.hostGone}</strong> {watcher.run ? frame.hostGoneStale : frame.hostGoneMore}
        </p>
      </div>
    );
  if (watcher.connection === "connecting" && watcher.run === null)
    return (
      <p className="banner quiet" role="status">
        {frame.asking}
      </p>
    );
  return null;
};

function titleOf(words: Words, { place, donor, watcher }: PageSnapshot): string {
  const name = watcher.run?.name ?? "Gossamer";
  if (place === "watch") return words.frame.title(words.frame.watching(name), "Gossamer");
  if (donor.status === "idle") return watcher.run ? words.frame.title(name, "Gossamer") : "Gossamer";
  return words.frame.title(stateTitle(words, donor), name);
}

/** Nobody is interrupted: who donates loads it when it suits. */
const NewerPage = ({ donor, loadNewerPage }: Pick<PageSnapshot, "donor"> & Pick<PageActions, "loadNewerPage">) => {
  const { offline } = useWords();
  const donates = donor.status === "starting" || donor.status === "donating" || donor.status === "paused";
  return (
    <div className="banner" role="status">
      <p>
        <strong>{offline.newer}</strong> {donates ? offline.newerDonating : null}
      </p>
      <p className="buttons">
        <button type="button" onClick={loadNewerPage}>
          {offline.load}
        </button>
      </p>
    </div>
  );
};

const Footer = ({ watcher }: PageSnapshot) => {
  const { frame } = useWords();
  return (
    <footer>
      <p>{frame.footer}</p>
      {watcher.run ? (
        <p className="fine">
          <Rich
            text={frame.runAndBuild}
            run={<code title={watcher.run.id}>{watcher.run.id.slice(0, 12)}</code>}
            build={<code>{watcher.run.build}</code>}
          />
        </p>
      ) : null}
    </footer>
  );
};

const About = ({ watcher, donor, lastSeen }: PageSnapshot) => {
  const { frame } = useWords();
  const { run, sizes, trainLoss, connection, otherRuns } = watcher;
  if (run === null && connection === "retrying") return <Offline lastSeen={lastSeen} />;
  return run && sizes ? (
    <AboutRun
      run={run}
      cost={donationCost(run.spec, sizes, othersHere(run, donor.peer), roundMsOf(trainLoss))}
      others={otherRuns}
    />
  ) : (
    <section className="about" aria-labelledby="about">
      <h1 id="about">{frame.slogan}</h1>
      <p className="purpose">{frame.sloganMore}</p>
    </section>
  );
};

/** Who cannot donate, or only the processor, sees the run live first, and then why, and what to do. */
const comesLater = ({ place, donor, machine, watcher }: PageSnapshot): boolean =>
  place === "donate" &&
  donor.status === "idle" &&
  watcher.run !== null &&
  (machineProblem(machine) ?? missingGpu(machine)) !== null;

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
  if (place === "watch" || comesLater(page)) return <div className="first">{about}</div>;
  const panel = <DonorPanel key="panel" page={page} actions={actions} />;
  if (donor.status !== "idle") return <div className="first">{[panel, about]}</div>;
  // Nobody is asked for anything before the page can say what for.
  const asks = watcher.run !== null || machineProblem(page.machine) !== null;
  return <div className="first">{asks ? [about, panel] : about}</div>;
};

export const Page = ({ page, actions }: { page: PageSnapshot; actions: PageActions }) => {
  const { place, donor, words } = page;
  if (page.kiosk)
    return (
      <WordsContext value={words}>
        <title>{titleOf(words, page)}</title>
        <Kiosk page={page} />
      </WordsContext>
    );
  return (
    <WordsContext value={words}>
      <title>{titleOf(words, page)}</title>
      <a className="skip" href="#main">
        {words.frame.skip}
      </a>
      <p className="sr-only" role="status">
        {announcement(words, page)}
      </p>
      <Header page={page} actions={actions} />
      <main id="main" data-place={place}>
        <HostState {...page} />
        {page.newerPage ? <NewerPage donor={donor} loadNewerPage={actions.loadNewerPage} /> : null}
        {page.forgotten ? (
          <p className="banner quiet" role="status">
            {words.identity.forgotten}
          </p>
        ) : null}
        {place === "watch" && (donor.status === "donating" || donor.status === "starting") ? (
          <p className="banner quiet">{words.frame.stillDonating}</p>
        ) : null}
        <First page={page} actions={actions} />
        <Live
          page={page}
          actions={actions}
          panel={comesLater(page) ? <DonorPanel page={page} actions={actions} /> : null}
        />
      </main>
      <Footer {...page} />
    </WordsContext>
  );
};
