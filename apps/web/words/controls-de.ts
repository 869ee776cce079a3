// Was Freiwillige erlauben, und warum gerade Pause ist, auf Deutsch.
import type { controlTexts, partTexts, pauseTexts } from "./controls-en.ts";

export const controls: typeof controlTexts = {
  title: "Grenzen",
  digest: (limits) => (limits.length === 0 ? "keine" : limits.join(", ")),
  digests: {
    onlyPluggedIn: "nur am Netz",
    batteryMin: (share) => `Akku über ${share}`,
    visible: "nur im Blick",
    idle: "nur wenn du fort bist",
    metered: "keine mobilen Daten",
    dailyBytesMax: (bytes) => `${bytes} am Tag`,
    quiet: (from, to) => `Ruhe von ${from} bis ${to}`,
    relayOnly: "Adresse verborgen",
  },
  onlyPluggedIn: "Nur am Stromnetz",
  batteryMin: "Akku aufsparen",
  batteryNone: "nichts davon",
  noBattery: "Dieser Browser verrät nicht, wie es um den Akku steht.",
  when: "Wann trainiert wird",
  whenChoices: {
    always: "jederzeit",
    visible: "nur wenn die Seite sichtbar ist",
    idle: "nur wenn du fort bist",
  },
  idleNone: "„Fort“ gibt es hier nicht: Dieser Browser verrät nicht, ob du das Gerät benutzt.",
  idleAsk: "Für „fort“ fragt der Browser, ob diese Seite wissen darf, dass du das Gerät benutzt.",
  idleRefused: "„Fort“ gibt es nicht: Dem Browser wurde gesagt, er solle es nicht verraten.",
  metered: "Mobile Daten",
  meteredChoices: { pause: "dann Pause", use: "benutzen" },
  meteredNone: "Dieser Browser unterscheidet WLAN nicht von mobilen Daten.",
  meteredSaveData: "Dieser Browser sagt nur, ob du ihn gebeten hast, Daten zu sparen.",
  dailyBytesMax: "Daten am Tag",
  noCap: "ohne Grenze",
  today: (bytes) => `${bytes} heute, gesendet und empfangen, alle Tabs.`,
  quiet: "Ruhezeit",
  quietFrom: "von",
  quietTo: "bis",
  keepAwake: "Gerät wach halten",
  awake: {
    off: "Der Bildschirm bleibt an, solange trainiert wird.",
    on: "Der Bildschirm bleibt an.",
    "out-of-view": "Nur solange diese Seite zu sehen ist: Hol sie hervor, damit der Bildschirm anbleibt.",
    refused: "Der Browser lehnt es gerade ab: Vielleicht spart er Akku.",
  },
  noWakeLock: "Dieser Browser kann keinen Bildschirm anlassen.",
  notify: "Sag mir, wenn es aufhört",
  notifyHints: {
    none: "Dieser Browser kennt keine Benachrichtigungen.",
    ask: "Der Browser fragt, ob diese Seite Benachrichtigungen schicken darf.",
    refused: "Gibt es nicht: Dem Browser wurde gesagt, er solle von dieser Seite keine zeigen.",
    granted:
      "Eine Benachrichtigung, wenn das Training aufhört und du es nicht wolltest, außer du siehst diese Seite gerade.",
  },
  relayOnly: "Meine Adresse vor anderen Freiwilligen verbergen",
  relayOnlyMore: "Alles geht über den Host, der sie weiterhin sieht. Langsamer, und Arbeit für den Host.",
  forgotten: (names) =>
    `Einige gespeicherte Grenzen waren nicht zu lesen und sind wie am Anfang: ${names.join(", ")}. Sieh sie durch.`,
  forgottenAll:
    "Die gespeicherten Grenzen sind von einer anderen Version dieser Seite, also sind sie wie am Anfang. Sieh sie durch.",
  names: {
    duty: "Zeit fürs Training",
    onlyPluggedIn: "nur am Stromnetz",
    batteryMin: "Akku",
    when: "wann trainiert wird",
    metered: "mobile Daten",
    dailyBytesMax: "Daten am Tag",
    quiet: "Ruhezeit",
    keepAwake: "wach halten",
    relayOnly: "verborgene Adresse",
    notify: "Benachrichtigung",
  },
  notKept: "Dieser Browser speichert hier nichts: Was du einstellst, gilt, bis die Seite geschlossen wird.",
};

export const pause: typeof pauseTexts = {
  title: "Warum gerade Pause ist",
  line: "Pause fürs Erste",
  byHand: "Du hast „Pause“ gedrückt. Es geht weiter, wenn du „Weiter“ drückst.",
  unplugged: "Dieses Gerät hängt nicht am Stromnetz. Es geht weiter, sobald es das tut.",
  batteryLow: (level, min) => `Der Akku steht bei ${level}, und ${min} sparst du auf. Am Stromnetz geht es weiter.`,
  hidden: "Diese Seite ist nicht zu sehen. Es geht weiter, wenn du sie ansiehst.",
  inUse: "Du benutzt dieses Gerät. Es geht weiter, wenn du zwei Minuten lang aufhörst.",
  idleUnknown: "Dieser Browser verrät nicht mehr, ob du das Gerät benutzt. Stell neu ein, wann trainiert wird.",
  metered:
    "Das sind mobile Daten, oder eine Verbindung, die der Browser auf deinen Wunsch schont. Über WLAN oder Kabel geht es weiter.",
  networkUnknown: "Dieser Browser verrät nicht, ob das WLAN oder mobile Daten sind. Es wartet auf dein Wort.",
  useNetwork: "Diese Verbindung benutzen",
  networkCost: (sent, received) => `Etwa ${sent} hoch und ${received} herunter in der Stunde.`,
  dailyCap: (bytes, max) =>
    `${bytes} wurden heute gesendet und empfangen, und deine Grenze ist ${max}. Um Mitternacht geht es weiter.`,
  quietHours: (until) => `Das ist deine Ruhezeit. Um ${until} geht es weiter.`,
  before: "Was gerade dagegen steht",
};

export const part: typeof partTexts = {
  host: "Zum und vom Host",
  energy: "Energie, grob",
  energyText: (least, most) => `${least} bis ${most}`,
  energyBasis: (time, wattsMin, wattsMax) =>
    `in ${time} Arbeit, geschätzt mit ${wattsMin} bis ${wattsMax} W für Geräte dieser Art: Browser verraten keine Watt`,
  card: "Eine Karte zum Teilen",
  cardText: (tokens, share, rounds, run) =>
    `Mein Browser hat auf ${tokens} Token trainiert (${share} des Laufs), und ${rounds} seiner Runden zählen in „${run}“, einem Sprachmodell aus geliehenen Browsern, mit Gossamer.`,
  copy: "Text kopieren",
};
