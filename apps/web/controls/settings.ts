// What a volunteer allows: remembered in this browser, obeyed by decide.ts. What is stored may be old, damaged or of a newer page.
//
//   readControls(what was stored) -> settings, and the fields that could not be used: those have their defaults
import { z } from "zod";

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

const minuteOfDay = z.int().min(0).lt(MINUTES_OF_DAY);

const fields = {
  /** The part of the time in which the device may train. */
  duty: z.number().min(DUTY_MIN).max(1),
  onlyPluggedIn: z.boolean(),
  /** Off the mains it trains above this charge; 0: down to nothing. */
  batteryMin: z.number().min(0).max(BATTERY_MIN_MAX),
  /** Always, only while the page is in view, or only while nobody uses the machine. */
  when: z.enum(["always", "visible", "idle"]),
  /** What mobile data, and networks that are to be spared, mean. */
  metered: z.enum(["pause", "use"]),
  /** Bytes of one local day, both ways; null: as many as it takes. */
  dailyBytesMax: z.number().min(DAILY_BYTES_MIN).nullable(),
  /** Local time, from inclusive, to exclusive; null: none. */
  quiet: z.strictObject({ from: minuteOfDay, to: minuteOfDay }).nullable(),
  /** The screen stays on, so that the machine does not sleep. */
  keepAwake: z.boolean(),
  /** No other volunteer sees this machine's address: links go through the host. */
  relayOnly: z.boolean(),
};

const controlsSchema = z.strictObject(fields);
export type Controls = Readonly<z.infer<typeof controlsSchema>>;
export type ControlName = keyof Controls;

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
  const controls: Record<string, unknown> = { ...defaultControls };
  const unusable: ControlName[] = [];
  for (const name of Object.keys(fields) as ControlName[]) {
    const parsed = fields[name].safeParse(given[name]);
    if (parsed.success) controls[name] = parsed.data;
    else unusable.push(name);
  }
  return { controls: controlsSchema.parse(controls), unusable };
}

/** As it is stored. */
export const storedControls = (controls: Controls): object => ({ version: CONTROLS_VERSION, ...controls });

/** A change as a form gives it; undefined where it is none. */
export function changedControls(controls: Controls, change: Partial<Controls>): Controls | undefined {
  const parsed = controlsSchema.safeParse({ ...controls, ...change });
  return parsed.success ? parsed.data : undefined;
}
