// What a volunteer may have set, and what a browser may tell: for the view tests.
import type { PauseReason } from "../controls/decide.ts";
import { defaultControls } from "../controls/settings.ts";
import type { VolunteerSnapshot } from "../window/types.ts";

/** A desktop with Chromium. */
export const volunteer: VolunteerSnapshot = {
  controls: defaultControls,
  unusable: [],
  observed: {
    battery: { charging: true, level: 1 },
    visible: true,
    idle: null,
    metered: null,
    phone: false,
    networkAllowed: false,
  },
  abilities: { battery: true, idle: "ask", network: "save-data", wakeLock: true },
  awake: "off",
  name: "Ada",
  remembers: true,
  key: { kind: "untouched" },
  offeredKey: null,
  storedBytes: null,
};

/** A browser that tells nothing. */
const silent: VolunteerSnapshot = {
  ...volunteer,
  observed: { ...volunteer.observed, battery: null },
  abilities: { battery: false, idle: "none", network: "none", wakeLock: false },
  remembers: false,
};

const phone: VolunteerSnapshot = {
  ...volunteer,
  observed: { ...volunteer.observed, phone: true, metered: true },
  abilities: { ...volunteer.abilities, network: "type" },
};

/** Every limit set to something else than at the start. */
export const strict: VolunteerSnapshot = {
  ...volunteer,
  controls: {
    duty: 0.5,
    onlyPluggedIn: true,
    batteryMin: 0.45,
    when: "idle",
    metered: "use",
    dailyBytesMax: 3e9,
    quiet: { from: 22 * 60, to: 7 * 60 + 5 },
    keepAwake: true,
    relayOnly: true,
  },
  abilities: { ...volunteer.abilities, idle: "told" },
  awake: "out-of-view",
};

export const everyReason: readonly PauseReason[] = [
  { code: "by-hand" },
  { code: "unplugged" },
  { code: "battery-low", level: 0.12, min: 0.2 },
  { code: "hidden" },
  { code: "in-use" },
  { code: "idle-unknown" },
  { code: "metered" },
  { code: "network-unknown" },
  { code: "daily-cap", bytes: 5.01e9, max: 5e9 },
  { code: "quiet-hours", untilMinute: 7 * 60 + 5 },
];

/** The same in every state that the panel draws. */
export const volunteers: Readonly<Record<string, VolunteerSnapshot>> = {
  silent,
  phone,
  "phone that tells nothing": { ...phone, observed: { ...phone.observed, metered: null } },
  strict,
  "awake refused": { ...strict, awake: "refused" },
  "idle refused": { ...volunteer, abilities: { ...volunteer.abilities, idle: "refused" } },
  view: { ...volunteer, controls: { ...defaultControls, when: "visible", dailyBytesMax: null, batteryMin: 0 } },
  "some unusable": { ...volunteer, unusable: ["duty", "quiet"] },
  "key at work": { ...volunteer, key: { kind: "working" }, storedBytes: 23.4e6 },
  "key exported": {
    ...volunteer,
    key: {
      kind: "exported",
      volunteer: "a".repeat(64),
      text: "{}",
      link: "https://host.example/#key=e30",
      qr: { side: 5, path: "M2 2h1v1h-1z" },
    },
  },
  "key imported": { ...volunteer, key: { kind: "imported", volunteer: "b".repeat(64) } },
  "key offered": { ...volunteer, offeredKey: "{}" },
  ...Object.fromEntries(
    (["not-a-key", "version", "damaged", "passphrase", "too-short", "storage"] as const).map((fault) => [
      `key failed: ${fault}`,
      { ...volunteer, key: { kind: "failed", fault } },
    ]),
  ),
  "all unusable": { ...volunteer, unusable: ["version"] },
};
