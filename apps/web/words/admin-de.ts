// Die Texte der Betreiberseite auf Deutsch; die Form gibt admin-en.ts vor.
import type { AdminWords } from "./admin-en.ts";
import { formats } from "./format.ts";
import { plurals } from "./plural.ts";

const f = formats("de");
const n = plurals("de");

export const adminDe: AdminWords = {
  language: "de",
  title: "Diesen Host betreiben",
  languageLabel: "Sprache",
  page: "Zur Seite des Laufs",
  signIn: {
    heading: "Ein Token für Betreiber",
    about: "Wer eines hat, entscheidet über die Läufe dieses Hosts. Auf dem Rechner des Hosts entsteht eines mit:",
    label: "Token",
    button: "Anmelden",
    kept: "Nur dieser Tab behält es, bis Sie ihn schließen oder sich abmelden.",
  },
  signOut: "Abmelden",
  asking: "Der Host wird gefragt…",
  hostGone: "Der Host antwortet nicht. Diese Seite versucht es von selbst wieder.",
  refused: (what) => `Der Host sagt: ${what}`,
  runs: {
    heading: "Läufe",
    caption: "Was dieser Host anbietet, und was sonst in seinem Datenverzeichnis liegt",
    none: "Hier ist noch kein Lauf. Unten lässt sich einer starten.",
    columns: {
      run: "Lauf",
      state: "Zustand",
      round: "Runden",
      peers: "Peers",
      tokens: "Token",
      actions: "Entscheiden",
    },
    isDefault: "wird zuerst gezeigt",
    count: f.count,
    tokens: f.short,
    states: {
      running: "läuft",
      resting: "niemand trainiert",
      paused: "angehalten",
      ended: "beendet",
      stored: "nicht angeboten",
      archived: "archiviert",
    },
    actions: {
      start: "Starten",
      pause: "Anhalten",
      resume: "Fortsetzen",
      end: "Beenden…",
      archive: "Archivieren",
    },
    doing: (action, name) => `${name}: ${action}`,
    done: {
      start: (name) => `${name} wird angeboten.`,
      pause: (name) => `${name} ist angehalten: Es beginnt keine weitere Runde.`,
      resume: (name) => `${name} geht weiter.`,
      end: (name) => `${name} ist beendet.`,
      archive: (name) => `${name} ist archiviert. Die Dateien bleiben im Datenverzeichnis.`,
    },
  },
  end: {
    heading: (name) => `${name} endgültig beenden?`,
    about: (peers) =>
      `Das Protokoll des Laufs bekommt ein Ende, das nichts zurücknimmt. ${
        peers === 0 ? "Zurzeit ist niemand da." : `${peers} ${n(peers, "Peer hört", "Peers hören")} auf zu trainieren.`
      } Das Modell bleibt und lässt sich herunterladen.`,
    reason: "Warum, für die Freiwilligen (freigestellt)",
    confirm: "Lauf beenden",
    cancel: "Behalten",
  },
  access: {
    when: f.dateAndTime,
    forEver: "für immer",
    spans: { hour: "für eine Stunde", day: "für einen Tag", month: "für 30 Tage", ever: "für immer" },
    span: "Wie lange",
    bans: {
      heading: "Sperren",
      caption: "Schlüssel, die nicht hereinkommen",
      none: "Niemand ist ausgesperrt.",
      columns: { key: "Freiwilliger", why: "Warum", until: "Bis", by: "Durch", actions: "Entscheiden" },
      by: { host: "den Host", operator: "einen Betreiber" },
      key: "Schlüssel des Freiwilligen (64 Hexziffern; die Kennung eines Peers ohne seinen Platz)",
      reason: "Warum (es wird gesagt)",
      add: "Aussperren",
      lift: "Aufheben",
      lifting: (key) => `Die Sperre von ${key} aufheben`,
      added: "Dieser Schlüssel ist ausgesperrt.",
      lifted: "Dieser Schlüssel darf wieder herein.",
    },
    invites: {
      heading: "Einladungen",
      about:
        "Sie gelten, wo der Host mit --join invite gestartet wurde. Wer einmal mit einer hereinkam, darf ohne sie wiederkommen.",
      caption: "Gemachte Links",
      none: "Es wurde keiner gemacht.",
      columns: { label: "Für", uses: "Benutzt", ends: "Bis", actions: "Entscheiden" },
      uses: (uses, usesMax) => `${f.count(uses)} von ${f.count(usesMax)}`,
      label: "Für wen (nur Sie lesen es)",
      usesMax: "Wie viele Freiwillige",
      add: "Link machen",
      withdraw: "Zurückziehen",
      withdrawing: (label) => `Die Einladung für ${label} zurückziehen`,
      made: "Der Link, nur dieses Mal:",
      withdrawn: "Dieser Link gilt nicht mehr.",
    },
    audit: { heading: "Was entschieden wurde", caption: "Das Neueste zuerst", none: "Noch nichts." },
  },
  start: {
    heading: "Einen weiteren Lauf starten",
    about: "Er wird neben den anderen unter eigener Adresse angeboten, und wieder, wenn der Host neu startet.",
    preset: "Vorlage",
    file: "Oder eine Laufbeschreibung (JSON)",
    fileAbout: "Ein Text, den sie nennt, muss in dem Ordner liegen, in dem der Host gestartet wurde.",
    button: "Starten",
    starting: "Seine Token-Shards werden gemacht…",
    notJson: (file, why) => `${file} ist kein JSON: ${why}`,
  },
};
