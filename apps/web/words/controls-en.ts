// What a volunteer allows, and why it is paused, in English.
import type { ControlName } from "../controls/settings.ts";

export const controlTexts = {
  title: "Limits",
  digest: (limits: readonly string[]) => (limits.length === 0 ? "none" : limits.join(", ")),
  digests: {
    onlyPluggedIn: "only when plugged in",
    batteryMin: (share: string) => `battery above ${share}`,
    visible: "only in view",
    idle: "only while you are away",
    metered: "no mobile data",
    dailyBytesMax: (bytes: string) => `${bytes} a day`,
    quiet: (from: string, to: string) => `quiet from ${from} to ${to}`,
    relayOnly: "address hidden",
  },
  onlyPluggedIn: "Only when plugged in",
  batteryMin: "Battery to keep",
  batteryNone: "none of it",
  noBattery: "This browser does not tell how the battery is.",
  when: "When to train",
  whenChoices: {
    always: "at any time",
    visible: "only while this page is in view",
    idle: "only while you are away",
  },
  idleNone: "“Away” is not offered: this browser does not tell whether you use the machine.",
  idleAsk: "For “away” the browser asks whether this page may know that you use the machine.",
  idleRefused: "“Away” is not offered: the browser has been told not to say whether you use the machine.",
  metered: "Mobile data",
  meteredChoices: { pause: "pause on it", use: "use it" },
  meteredNone: "This browser does not tell Wi-Fi from mobile data.",
  meteredSaveData: "This browser tells only whether you asked it to save data.",
  dailyBytesMax: "Data a day",
  noCap: "no limit",
  today: (bytes: string) => `${bytes} today, sent and received, all tabs.`,
  quiet: "Quiet hours",
  quietFrom: "from",
  quietTo: "to",
  keepAwake: "Keep the machine awake",
  awake: {
    off: "The screen stays on while it trains.",
    on: "The screen stays on.",
    "out-of-view": "Only while this page is in view: bring it back to keep the screen on.",
    refused: "The browser refuses it now: a battery saver may be on.",
  },
  noWakeLock: "This browser cannot keep a screen on.",
  notify: "Tell me when it stops",
  notifyHints: {
    none: "This browser has no notifications.",
    ask: "The browser asks whether this page may send notifications.",
    refused: "Not offered: the browser has been told not to show this page’s notifications.",
    granted: "A notification when training stops and you did not ask for it, unless you look at this page.",
  },
  relayOnly: "Hide my address from other volunteers",
  relayOnlyMore: "Everything goes through the host, which still sees it. Slower, and work for the host.",
  forgotten: (names: readonly string[]) =>
    `Some stored limits could not be read and are as at the start: ${names.join(", ")}. Look them over.`,
  forgottenAll: "The stored limits are of another version of this page, so they are as at the start. Look them over.",
  names: {
    duty: "time for training",
    onlyPluggedIn: "only when plugged in",
    batteryMin: "battery",
    when: "when to train",
    metered: "mobile data",
    dailyBytesMax: "data a day",
    quiet: "quiet hours",
    keepAwake: "keep awake",
    relayOnly: "hidden address",
    notify: "notification",
  } satisfies Record<ControlName, string>,
  notKept: "This browser stores nothing here: what you set holds until the page is closed.",
};

export const pauseTexts = {
  title: "Why it is paused",
  line: "Paused for now",
  byHand: "You pressed Pause. It goes on when you press Resume.",
  unplugged: "This machine is not plugged in. It goes on when it is.",
  batteryLow: (level: string, min: string) =>
    `The battery is at ${level}, and you keep ${min}. It goes on when the machine is plugged in.`,
  hidden: "This page is not in view. It goes on when you look at it.",
  inUse: "You use this machine. It goes on two minutes after you stop.",
  idleUnknown: "This browser does not tell any more whether you use the machine. Set anew when to train.",
  metered: "This is mobile data, or a connection that you asked the browser to spare. It goes on over Wi-Fi or cable.",
  networkUnknown: "This browser does not tell whether this is Wi-Fi or mobile data. It waits for your word.",
  useNetwork: "Use this connection",
  networkCost: (sent: string, received: string) => `About ${sent} up and ${received} down an hour.`,
  dailyCap: (bytes: string, max: string) =>
    `${bytes} were sent and received today, and your limit is ${max}. It goes on at midnight.`,
  quietHours: (until: string) => `These are your quiet hours. It goes on at ${until}.`,
  before: "What stands against it now",
};

export const partTexts = {
  host: "To and from the host",
  energy: "Energy, roughly",
  energyText: (least: string, most: string) => `${least} to ${most}`,
  energyBasis: (time: string, wattsMin: number, wattsMax: number) =>
    `in ${time} at work, reckoned with ${wattsMin} to ${wattsMax} W for devices of this kind: browsers tell no watts`,
  card: "A card to share",
  cardText: (tokens: string, share: string, rounds: number, run: string) =>
    `My browser trained on ${tokens} tokens (${share} of the run), and ${rounds} of its rounds count in “${run}”, a language model made in borrowed browsers with Gossamer.`,
  copy: "Copy the text",
};

/** 425 -> "7:05". */
export const clockOf = (minuteOfDay: number): string =>
  `${Math.floor(minuteOfDay / 60)}:${String(minuteOfDay % 60).padStart(2, "0")}`;
