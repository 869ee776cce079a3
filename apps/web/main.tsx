// The page's entry: the effects (address bar, adapter probe, host events) on one side, one function of the snapshot on the other.
import { StrictMode, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { probeMachine, uncheckedMachine } from "./machine.ts";
import { changePage, hostHasAnotherPage, keepForOffline, mayBeKept } from "./offline/register.ts";
import { PageStore } from "./page-store.ts";
import "./styles.css";
import { Page } from "./views/page.tsx";
import {
  backendOf,
  donateHref,
  forgottenHref,
  isForgotten,
  isKiosk,
  islandOf,
  placeOf,
  roundHref,
  roundOf,
  testWishOf,
  watchHref,
} from "./views/places.ts";
import { followForAlerts } from "./window/alerts.ts";
import { earlierDonation } from "./window/earlier.ts";
import { takeInvite } from "./window/invite.ts";
import { rememberedLastSeen, rememberLastSeen } from "./window/last-seen.ts";
import { notify } from "./window/notify.ts";
import { createWatcher } from "./window/watcher.ts";
import { loadWords } from "./words/index.ts";
import { languageFor, rememberedLanguage, rememberLanguage } from "./words/language.ts";

takeInvite();
const { place, runName } = placeOf(new URL(location.href));
const backend = backendOf(new URL(location.href));
const wish = {
  ...{ run: runName, backend, island: islandOf(new URL(location.href)) },
  ...testWishOf(new URL(location.href)),
};

const forgotten = isForgotten(new URL(location.href));
if (forgotten) history.replaceState(null, "", donateHref(runName));

const earlier = earlierDonation();

const language = languageFor(rememberedLanguage(), navigator.languages);
const words = await loadWords(language).catch(() => loadWords("en"));
document.documentElement.lang = words.language;

const watcher = createWatcher(runName);
const store = new PageStore(
  {
    loadVolunteer: async () => (await import("./window/volunteer.ts")).openVolunteer(),
    loadDonor: async (volunteer) => (await import("./window/donor.ts")).createDonor(wish, volunteer),
    memoryNeed: watcher.memoryNeed,
    loadWords,
    hostHasAnotherPage,
    mayBeKept: mayBeKept(),
    changePage,
    speaks(language) {
      document.documentElement.lang = language;
      rememberLanguage(language);
    },
    beginAnew: () => location.assign(forgottenHref(runName)),
    nameRound(round) {
      try {
        history.replaceState(null, "", roundHref(new URL(location.href), round));
      } catch {
        // a hand that drags far: browsers allow some hundred changes in half a minute
      }
    },
    navigate: (to) => history.pushState(null, "", to === "watch" ? watchHref(runName) : donateHref(runName)),
  },
  {
    place,
    runName,
    machine: uncheckedMachine,
    words,
    forgotten,
    earlier,
    lastSeen: rememberedLastSeen(runName),
    kiosk: isKiosk(new URL(location.href)),
  },
);
addEventListener("popstate", () => store.placed(placeOf(new URL(location.href)).place));
const roundAsked = roundOf(new URL(location.href));
void probeMachine(backend).then(store.machineProbed);
store.watch(watcher);
rememberLastSeen(runName, watcher);
followForAlerts(store, {
  inView: () => document.visibilityState === "visible" && document.hasFocus(),
  after(ms, act) {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
  notify: (title, body) => void notify(title, body).catch(() => {}), // a browser that shows none: the page still says it
});
keepForOffline();
store.open();
if (earlier === "discarded" || earlier === "replaced") store.donate(); // nobody ended it: the person's press still holds
if (earlier === "paused") store.stayPaused();
if (roundAsked !== null) store.showRound(roundAsked);

const App = () => <Page page={useSyncExternalStore(store.subscribe, store.getSnapshot)} actions={store} />;

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
