// What a volunteer allows: remembered in this browser, obeyed by decide.ts. What is stored may be old, damaged or of a newer page.
//
//   readControls(what was stored) -> settings, and the fields that could not be used: those have their defaults
const CONTROLS_VERSION = 1;

/** Below this a device would hardly ever end a round. */
export const DUTY_MIN = 0.1;
/** With more kept back a battery would hardly ever be used. */
const BATTERY_MIN_MAX = 0.9;
/**
 * Five hours of the default run with three others at a round every 30 s (1.1 GB an hour, up and down; settings.test.ts reckons it), and at
 * most 150 GB a month, which common lines without a flat rate bear.
 */
export const DAILY_BYTES_DEFAULT = 5e9;
/** Less than a round of a small model would pause for good. */
const DAILY_BYTES_MIN = 1e6;
const MINUTES_OF_DAY = 24 * 60;

export interface Controls {
  /** The part of the time in which the device may train. */
  readonly duty: number;
  readonly onlyPluggedIn: boolean;
  /** Off the mains it trains above this charge; 0: down to nothing. */
  readonly batteryMin: number;
  /** Always, only while the page is in view, or only while nobody uses the machine. */
  readonly when: "always" | "visible" | "idle";
  /** What mobile data, and networks that are to be spared, mean. */
  readonly metered: "pause" | "use";
  /** Bytes of one local day, both ways; null: as many as it takes. */
  readonly dailyBytesMax: number | null;
  /** Local time, from inclusive, to exclusive; null: none. */
  readonly quiet: { readonly from: number; readonly to: number } | null;
  /** The screen stays on, so that the machine does not sleep. */
  readonly keepAwake: boolean;
  /** No other volunteer sees this machine's address: links go through the host. */
  readonly relayOnly: boolean;
  /** A notification when this machine stops training, and nobody asked it to. */
  readonly notify: boolean;
}
export type ControlName = keyof Controls;

type Check = (value: unknown) => boolean;
const truth: Check = (value) => typeof value === "boolean";
const oneOf =
  (...choices: readonly string[]): Check =>
  (value) =>
    choices.some((choice) => choice === value);
const within =
  (min: number, max: number): Check =>
  (value) =>
    typeof value === "number" && value >= min && value <= max;
const orNone =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const isMinuteOfDay: Check = (value) => Number.isInteger(value) && within(0, MINUTES_OF_DAY - 1)(value);
const isSpan: Check = (value) => {
  if (typeof value !== "object" || value === null) return false;
  const { from, to, ...more } = value as Record<string, unknown>;
  return isMinuteOfDay(from) && isMinuteOfDay(to) && Object.keys(more).length === 0;
};

/** By hand, since a schema's library would be an eighth of what a first look at the page may weigh. */
const checks: Readonly<Record<ControlName, Check>> = {
  duty: within(DUTY_MIN, 1),
  onlyPluggedIn: truth,
  batteryMin: within(0, BATTERY_MIN_MAX),
  when: oneOf("always", "visible", "idle"),
  metered: oneOf("pause", "use"),
  dailyBytesMax: orNone(within(DAILY_BYTES_MIN, Number.MAX_VALUE)),
  quiet: orNone(isSpan),
  keepAwake: truth,
  relayOnly: truth,
  notify: truth,
};
/** Not there in what earlier pages stored: no fault. */
const LATER: readonly ControlName[] = ["notify"];
const names = Object.keys(checks) as ControlName[];

export const defaultControls: Controls = {
  duty: 1,
  onlyPluggedIn: false,
  batteryMin: 0.2,
  when: "always",
  metered: "pause",
  dailyBytesMax: DAILY_BYTES_DEFAULT,
  quiet: null,
  keepAwake: false,
  relayOnly: false,
  notify: false,
};

export interface ReadControls {
  readonly controls: Controls;
  /** Fields whose stored value is none; "version": a newer page's settings, of which nothing is taken. */
  readonly unusable: readonly (ControlName | "version")[];
}

/** @param stored undefined: nothing was */
export function readControls(stored: unknown): ReadControls {
  if (stored === undefined) return { controls: defaultControls, unusable: [] };
  const given = typeof stored === "object" && stored !== null ? (stored as Record<string, unknown>) : {};
  if (given.version !== CONTROLS_VERSION) return { controls: defaultControls, unusable: ["version"] };
  const there = names.filter((name) => name in given || !LATER.includes(name));
  const unusable = there.filter((name) => !checks[name](given[name]));
  const usable = there.filter((name) => !unusable.includes(name)).map((name) => [name, given[name]]);
  return { controls: { ...defaultControls, ...Object.fromEntries(usable) }, unusable };
}

/** As it is stored. */
export const storedControls = (controls: Controls): object => ({ version: CONTROLS_VERSION, ...controls });

/** A change as a form gives it; undefined where it is none. */
export function changedControls(controls: Controls, change: Partial<Controls>): Controls | undefined {
  const changed = { ...controls, ...change };
  return Object.entries(changed).every(([name, value]) => checks[name as ControlName]?.(value)) ? changed : undefined;
}
