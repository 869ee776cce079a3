// When the volunteer is to hear that this machine stopped training, though nobody asked it to: told to who wants it and does not look.
//
//   donor's snapshots -> alertOf() -> words -> notification
import type { PageSnapshot } from "../page-state.ts";
import type { Words } from "../words/index.ts";
import type { DonorSnapshot, SnapshotStore } from "./types.ts";

/** Peers train on without their host for some rounds; what is back before is no news. */
const HOST_AWAY_MS = 5 * 60_000;

export type Alert = "blocked" | "ended" | "frozen" | "host-away";

const has = ({ notices }: DonorSnapshot, code: string): boolean => notices.some((notice) => notice.code === code);
const takesPart = ({ status }: DonorSnapshot): boolean => status === "starting" || status === "donating";
const hostIsAway = (donor: DonorSnapshot): boolean =>
  takesPart(donor) && (has(donor, "host-gone") || has(donor, "line-blocked"));

/** What happened between two snapshots. A press of Pause or Stop, and the volunteer's own limits, are none. */
export function alertOf(before: DonorSnapshot, now: DonorSnapshot): Exclude<Alert, "host-away"> | null {
  if (now.status !== before.status && (takesPart(before) || before.status === "paused")) {
    if (now.status === "blocked") return "blocked";
    if (now.status === "ended") return "ended";
  }
  return takesPart(now) && has(now, "frozen") && !has(before, "frozen") ? "frozen" : null;
}

function alertText({ alerts, problemTitles }: Words, alert: Alert, { problem }: DonorSnapshot): string {
  return alert === "blocked" && problem ? problemTitles[problem.code] : alerts[alert];
}

export interface AlertPorts {
  /** The person looks at the page: it says so itself. */
  readonly inView: () => boolean;
  readonly after: (ms: number, act: () => void) => () => void;
  readonly notify: (title: string, body: string) => void;
}

export function followForAlerts(page: SnapshotStore<PageSnapshot>, { inView, after, notify }: AlertPorts): void {
  let before = page.getSnapshot().donor;
  let forget: (() => void) | undefined;
  const tell = (alert: Alert) => {
    const { words, donor, volunteer } = page.getSnapshot();
    if (volunteer?.controls.notify && !inView()) notify(words.alerts.title, alertText(words, alert, donor));
  };
  page.subscribe(() => {
    const { donor } = page.getSnapshot();
    if (donor === before) return;
    const alert = alertOf(before, donor);
    before = donor;
    if (hostIsAway(donor)) forget ??= after(HOST_AWAY_MS, () => tell("host-away"));
    else {
      forget?.();
      forget = undefined;
    }
    if (alert) tell(alert);
  });
}
