// What a volunteer may have set, and what a browser may tell: for the view tests.
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
  abilities: { battery: true, idle: "ask", network: "save-data", wakeLock: true, notify: "ask" },
  awake: "off",
  name: "Ada",
  remembers: true,
  key: { kind: "untouched" },
  offeredKey: null,
  storedBytes: null,
};

/** A browser that tells nothing. */
export const silent: VolunteerSnapshot = {
  ...volunteer,
  observed: { ...volunteer.observed, battery: null },
  abilities: { battery: false, idle: "none", network: "none", wakeLock: false, notify: "none" },
  remembers: false,
};

export const phone: VolunteerSnapshot = {
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
    notify: true,
  },
  abilities: { ...volunteer.abilities, idle: "told", notify: "granted" },
  awake: "out-of-view",
};
