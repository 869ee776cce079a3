// Whether this machine may train now, and if not, every reason why, with its end. A function of what the volunteer allows and what is so.
//
//   decide(controls, conditions) -> { train } or { because: [...] }
//
// What a browser does not tell (null) stops nothing: the page shows such a control disabled. Only whoever asked to train while nobody is
// here, and whose browser tells that no more, is not taken at his word in the dark: then it pauses.
import type { Controls } from "./settings.ts";

export interface Battery {
  readonly charging: boolean;
  readonly level: number; // 0 to 1
}

export interface Conditions {
  /** The person pressed Pause. */
  readonly pausedByHand: boolean;
  readonly battery: Battery | null;
  readonly visible: boolean;
  /** Nobody touches this machine. */
  readonly idle: boolean | null;
  /** metered: mobile data, or the person asked the browser to spare it. null: this browser does not tell. */
  readonly metered: boolean | null;
  readonly phone: boolean;
  /** The person said, on this network, that it may be used. */
  readonly networkAllowed: boolean;
  readonly minuteOfDay: number; // local
  readonly bytesToday: number;
}

export type PauseReason =
  | { readonly code: "by-hand" }
  | { readonly code: "unplugged" }
  | { readonly code: "battery-low"; readonly level: number; readonly min: number }
  | { readonly code: "hidden" }
  | { readonly code: "in-use" }
  | { readonly code: "idle-unknown" }
  | { readonly code: "metered" }
  | { readonly code: "network-unknown" }
  | { readonly code: "daily-cap"; readonly bytes: number; readonly max: number } // until midnight
  | { readonly code: "quiet-hours"; readonly untilMinute: number };
export type PauseCode = PauseReason["code"];

/**
 * Reasons that last for hours, or that forbid traffic: a paused peer follows the run, which takes bytes and the processor, so these take
 * leave of it and join again afterwards. The others are over in minutes.
 */
const leaving: readonly PauseCode[] = [
  "unplugged",
  "battery-low",
  "metered",
  "network-unknown",
  "daily-cap",
  "quiet-hours",
];

export interface Decision {
  /** None: it may train. */
  readonly because: readonly PauseReason[];
  /** It takes leave of the run until it may train again. */
  readonly leaves: boolean;
}

export function decide(controls: Controls, conditions: Conditions): Decision {
  const because = reasons(controls, conditions);
  return { because, leaves: because.some(({ code }) => leaving.includes(code)) };
}

function reasons(controls: Controls, now: Conditions): PauseReason[] {
  const { battery, metered } = now;
  const { batteryMin, dailyBytesMax, quiet, when } = controls;
  const because: PauseReason[] = [];
  if (now.pausedByHand) because.push({ code: "by-hand" });
  if (battery && !battery.charging) {
    if (controls.onlyPluggedIn) because.push({ code: "unplugged" });
    if (battery.level < batteryMin) because.push({ code: "battery-low", level: battery.level, min: batteryMin });
  }
  if (when === "visible" && !now.visible) because.push({ code: "hidden" });
  if (when === "idle" && now.idle === null) because.push({ code: "idle-unknown" });
  if (when === "idle" && now.idle === false) because.push({ code: "in-use" });
  if (controls.metered === "pause" && !now.networkAllowed) {
    if (metered) because.push({ code: "metered" });
    if (metered === null && now.phone) because.push({ code: "network-unknown" });
  }
  if (dailyBytesMax !== null && now.bytesToday >= dailyBytesMax)
    because.push({ code: "daily-cap", bytes: now.bytesToday, max: dailyBytesMax });
  if (quiet && isWithin(now.minuteOfDay, quiet)) because.push({ code: "quiet-hours", untilMinute: quiet.to });
  return because;
}

/** From 22:00 to 7:00 passes midnight; from 9:00 to 9:00 is all day. */
function isWithin(minute: number, { from, to }: { readonly from: number; readonly to: number }): boolean {
  return from < to ? from <= minute && minute < to : from <= minute || minute < to;
}
