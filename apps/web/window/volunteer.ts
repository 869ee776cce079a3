// What this browser keeps for its volunteer, with or without donating: what is allowed, a name, a key. Owned by the window, told to the worker.
//
//   openVolunteer() -> subscribe, getSnapshot: VolunteerSnapshot, actions
import { type BrowserStore, forgetBrowserStore, openBrowserStore } from "#store";
import { type Controls, changedControls, readControls, storedControls } from "../controls/settings.ts";
import { KeyFileError, keyOfFragment } from "../identity/key-link.ts";
import { forgetColdFiles } from "../worker/cold-folder.ts";
import { ConditionsWatch } from "./conditions.ts";
import { KeepAwake } from "./keep-awake.ts";
import type { KeyState, Volunteer, VolunteerSnapshot } from "./types.ts";

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
    key: { kind: "untouched" },
    offeredKey: takeOfferedKey(),
    storedBytes: null,
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

  function rename(name: string): void {
    const short = name.trim().slice(0, NAME_LENGTH_MAX);
    set({ name: short });
    keep(NAME_KEY, short);
  }

  /** The code is fetched with the first wish; what fails is a fault of the file, or else of the storage. */
  async function withKeys(work: (keys: typeof import("./keys.ts")) => Promise<KeyState>): Promise<void> {
    set({ key: { kind: "working" } });
    try {
      set({ key: await work(await import("./keys.ts")) });
    } catch (error) {
      set({ key: { kind: "failed", fault: error instanceof KeyFileError ? error.fault : "storage" } });
    }
  }

  return {
    subscribe(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
    getSnapshot: () => snapshot,
    allow(change: Partial<Controls>) {
      if (change.notify && snapshot.abilities.notify !== "granted")
        return void conditions.askToNotify().then(() => {
          if (snapshot.abilities.notify === "granted") take(change);
        });
      if (change.when !== "idle" || snapshot.abilities.idle === "told") return take(change);
      void conditions.askForIdle().then(() => {
        if (snapshot.abilities.idle === "told") take(change);
      });
    },
    rename,
    allowNetwork: () => conditions.allowNetwork(),
    exportKey: (passphrase) => void withKeys((keys) => keys.exportKey(store.settings, snapshot.name, passphrase)),
    importKey: (text, passphrase) =>
      void withKeys(async (keys) => {
        const { volunteer, name } = await keys.importKey(store.settings, text, passphrase);
        if (name !== "") rename(name);
        set({ offeredKey: null });
        return { kind: "imported", volunteer };
      }),
    measureStorage: () =>
      void navigator.storage?.estimate().then(
        ({ usage = null }) => set({ storedBytes: usage }),
        () => {},
      ),
    async forget() {
      await forgetBrowserStore();
      await forgetColdFiles();
      for (const kept of [() => localStorage, () => sessionStorage]) clear(kept);
      for (const name of (await globalThis.caches?.keys()) ?? []) await caches.delete(name);
      for (const registration of (await navigator.serviceWorker?.getRegistrations()) ?? [])
        await registration.unregister();
    },
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

/** It leaves the address bar at once: who looks over a shoulder, or shares the address, does not get it. */
function takeOfferedKey(): string | null {
  const key = keyOfFragment(location.hash);
  if (key === undefined) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return key;
}

function clear(storage: () => Storage): void {
  try {
    storage().clear();
  } catch {
    // refused: then it holds nothing
  }
}
