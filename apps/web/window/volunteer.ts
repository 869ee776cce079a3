// What this browser keeps for its volunteer, with or without donating: what is allowed, a name, a key. Owned by the window, told to the worker.
//
//   openVolunteer() -> subscribe, getSnapshot: VolunteerSnapshot, actions
import { type BrowserStore, openBrowserStore } from "#store";
import { type Controls, changedControls, readControls, storedControls } from "../controls/settings.ts";
import { ConditionsWatch } from "./conditions.ts";
import { KeepAwake } from "./keep-awake.ts";
import type { Volunteer, VolunteerSnapshot } from "./types.ts";

const CONTROLS_KEY = "controls";
/** Of builds before there were controls. */
const DUTY_KEY = "duty";
const NAME_KEY = "name";
/** Peers see at most so many characters (the host's schema). */
export const NAME_LENGTH_MAX = 40;

export async function openVolunteer(): Promise<Volunteer> {
  const store = await openBrowserStore();
  const kept = await remembered(store);
  const conditions = new ConditionsWatch(() => set({ observed: conditions.observed, abilities: conditions.abilities }));
  const awake = new KeepAwake((keepAwake) => set({ awake: keepAwake }));
  const listeners = new Set<() => void>();
  let snapshot: VolunteerSnapshot = {
    ...kept,
    observed: conditions.observed,
    abilities: conditions.abilities,
    awake: "off",
    remembers: store.refused === undefined,
  };
  await conditions.start();

  function set(change: Partial<VolunteerSnapshot>): void {
    snapshot = { ...snapshot, ...change };
    for (const listener of listeners) listener();
  }
  /** A store that takes nothing is the worker's to tell; what is chosen holds as long as the page. */
  const keep = (key: string, value: unknown) => void store.settings.set(key, value).catch(() => {});

  function take(change: Partial<Controls>): void {
    const controls = changedControls(snapshot.controls, change);
    if (!controls) return;
    set({ controls, unusable: [] });
    keep(CONTROLS_KEY, storedControls(controls));
  }

  return {
    subscribe(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
    getSnapshot: () => snapshot,
    allow(change: Partial<Controls>) {
      if (change.when !== "idle" || snapshot.abilities.idle === "told") return take(change);
      void conditions.askForIdle().then(() => {
        if (snapshot.abilities.idle === "told") take(change);
      });
    },
    rename(name) {
      const short = name.trim().slice(0, NAME_LENGTH_MAX);
      set({ name: short });
      keep(NAME_KEY, short);
    },
    allowNetwork: () => conditions.allowNetwork(),
    keepAwake: (wanted) => awake.want(wanted),
  };
}

async function remembered({
  settings,
}: BrowserStore): Promise<Pick<VolunteerSnapshot, "controls" | "unusable" | "name">> {
  const read = (key: string) => settings.get(key).catch(() => undefined);
  const [stored, duty, name] = await Promise.all([CONTROLS_KEY, DUTY_KEY, NAME_KEY].map(read));
  const { controls, unusable } = readControls(stored);
  return {
    controls: (stored === undefined && changedControls(controls, { duty } as Partial<Controls>)) || controls,
    unusable,
    name: typeof name === "string" ? name.slice(0, NAME_LENGTH_MAX) : "",
  };
}
