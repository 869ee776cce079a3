// Texts of the operator's page, in English; admin-de.ts has the same in German.
import type { AdminRun, RunAction } from "#wire";
import { english } from "./format.ts";
import { plurals } from "./plural.ts";

const n = plurals("en");

export const adminEn = {
  language: "en" as string,
  title: "Operating this host",
  languageLabel: "Language",
  page: "To the run's page",
  signIn: {
    heading: "An operator's token",
    about: "Whoever has one decides about this host's runs. On the host's own machine one is made by:",
    label: "Token",
    button: "Sign in",
    kept: "It is kept by this tab alone, until you close it or sign out.",
  },
  signOut: "Sign out",
  asking: "Asking the host…",
  hostGone: "The host does not answer. This page tries again by itself.",
  refused: (what: string) => `The host says: ${what}`,
  runs: {
    heading: "Runs",
    caption: "What this host serves, and what else lies in its data directory",
    none: "No run is here yet. Start one below.",
    columns: { run: "Run", state: "State", round: "Rounds", peers: "Peers", tokens: "Tokens", actions: "Decide" },
    isDefault: "shown first",
    count: english.count,
    tokens: english.short,
    states: {
      running: "running",
      resting: "nobody trains",
      paused: "paused",
      ended: "ended",
      stored: "not served",
      archived: "archived",
    } satisfies Record<AdminRun["state"], string> as Record<AdminRun["state"], string>,
    actions: {
      start: "Start",
      pause: "Pause",
      resume: "Resume",
      end: "End…",
      archive: "Archive",
    } satisfies Record<RunAction, string> as Record<RunAction, string>,
    doing: (action: string, name: string) => `${action} ${name}`,
    done: {
      start: (name: string) => `${name} is served.`,
      pause: (name: string) => `${name} is paused: no further round opens.`,
      resume: (name: string) => `${name} goes on.`,
      end: (name: string) => `${name} has ended.`,
      archive: (name: string) => `${name} is archived. Its files stay in the data directory.`,
    } satisfies Record<RunAction, (name: string) => string> as Record<RunAction, (name: string) => string>,
  },
  end: {
    heading: (name: string) => `End ${name} for good?`,
    about: (peers: number) =>
      `Its log gets an end that nothing takes back. ${
        peers === 0 ? "Nobody is here now." : `${peers} ${n(peers, "peer stops", "peers stop")} training.`
      } The model stays, and can be downloaded.`,
    reason: "Why, for its volunteers (optional)",
    confirm: "End the run",
    cancel: "Keep it",
  },
  access: {
    when: english.dateAndTime,
    forEver: "for ever",
    spans: { hour: "for an hour", day: "for a day", month: "for 30 days", ever: "for ever" },
    span: "For how long",
    bans: {
      heading: "Bans",
      caption: "Keys that may not come in",
      none: "Nobody is kept out.",
      columns: { key: "Volunteer", why: "Why", until: "Until", by: "By", actions: "Decide" },
      by: { host: "the host", operator: "an operator" },
      key: "Volunteer's key (64 hex digits; a peer's id without its slot)",
      reason: "Why (it is told)",
      add: "Keep out",
      lift: "Lift",
      lifting: (key: string) => `Lift the ban of ${key}`,
      added: "That key is kept out.",
      lifted: "That key may come in again.",
    },
    invites: {
      heading: "Invitations",
      about:
        "They count where the host was started with --join invite. Whoever once came in by one may come back without it.",
      caption: "Links that were made",
      none: "None was made.",
      columns: { label: "For", uses: "Used", ends: "Until", actions: "Decide" },
      uses: (uses: number, usesMax: number) => `${english.count(uses)} of ${english.count(usesMax)}`,
      label: "For whom (only you read it)",
      usesMax: "How many volunteers",
      add: "Make a link",
      withdraw: "Withdraw",
      withdrawing: (label: string) => `Withdraw the invitation for ${label}`,
      made: "The link, this once:",
      withdrawn: "That link counts no more.",
    },
    audit: { heading: "What was decided", caption: "The newest first", none: "Nothing yet." },
  },
  start: {
    heading: "Start another run",
    about: "It is served beside the others, under an address of its own, and again when the host starts again.",
    preset: "Preset",
    file: "Or a run spec (JSON)",
    fileAbout: "A text that it names must lie in the folder in which the host was started.",
    button: "Start",
    starting: "Making its token shards…",
    notJson: (file: string, why: string) => `${file} is not JSON: ${why}`,
  },
};
export type AdminWords = typeof adminEn;
