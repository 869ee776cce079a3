// What this browser tells of its machine: battery, view, idleness, network. What it does not tell is null, and `abilities` says so.
//
//   observe(onChange) -> observed, abilities        askForIdle(), askToNotify(), allowNetwork(): the person's answers
import type { Battery, Conditions } from "../controls/decide.ts";
import { notifyAbility } from "./notify.ts";

/** The window's part of the conditions; hour, bytes and the person's own hand are the worker's. */
export type Observed = Omit<Conditions, "pausedByHand" | "minuteOfDay" | "bytesToday">;

/** What a control can go by here. */
export interface Abilities {
  readonly battery: boolean;
  /** ask: the person has not been asked yet. refused: the person, or a policy, said no. */
  readonly idle: "none" | "ask" | "refused" | "told";
  /** type: Wi-Fi, cable or mobile. save-data: only whether the person asked the browser to spare data. */
  readonly network: "none" | "save-data" | "type";
  readonly wakeLock: boolean;
  /** Notifications; as with idle. */
  readonly notify: "none" | "ask" | "refused" | "granted";
}

/** Nobody touched the machine for so long: the API's least is a minute, and who reads a page is not away. */
const IDLE_AFTER_MS = 2 * 60_000;

interface BatteryManager extends EventTarget {
  readonly charging: boolean;
  readonly level: number;
}
interface NetworkInformation extends EventTarget {
  readonly type?: string;
  readonly saveData?: boolean;
}
interface IdleDetector extends EventTarget {
  readonly userState: "active" | "idle" | null;
  readonly screenState: "locked" | "unlocked" | null;
  start(options: { threshold: number }): Promise<void>;
}
interface IdleDetectorType {
  new (): IdleDetector;
  requestPermission(): Promise<PermissionState>;
}
/** What only some browsers have, none of it in TypeScript's own list. */
interface Telling {
  getBattery?(): Promise<BatteryManager>;
  readonly connection?: NetworkInformation;
  readonly userAgentData?: { readonly mobile: boolean };
}

const telling = (): Telling => navigator as Telling;
const idleDetector = (): IdleDetectorType | undefined => Reflect.get(globalThis, "IdleDetector");

/** A tablet that poses as a Mac has touch, which no Mac has. */
function isPhone(): boolean {
  const { userAgent, maxTouchPoints } = navigator;
  const posing = /Macintosh/.test(userAgent) && maxTouchPoints > 1;
  return telling().userAgentData?.mobile ?? (/Mobi|Android|iPad/i.test(userAgent) || posing);
}

function meteredOf(network: NetworkInformation | undefined): boolean | null {
  if (network?.saveData) return true;
  return network?.type === undefined || network.type === "unknown" ? null : network.type === "cellular";
}

function networkAbility(network: NetworkInformation | undefined): Abilities["network"] {
  if (network?.type !== undefined) return "type";
  return network?.saveData === undefined ? "none" : "save-data";
}

export class ConditionsWatch {
  readonly #onChange: () => void;
  observed: Observed;
  abilities: Abilities;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    const { connection } = telling();
    this.observed = {
      battery: null,
      visible: document.visibilityState === "visible",
      idle: null,
      metered: meteredOf(connection),
      phone: isPhone(),
      networkAllowed: false,
    };
    this.abilities = {
      battery: false,
      idle: idleDetector() ? "ask" : "none",
      network: networkAbility(connection),
      wakeLock: "wakeLock" in navigator,
      notify: notifyAbility(),
    };
    document.addEventListener("visibilitychange", () => this.#set({ visible: document.visibilityState === "visible" }));
    connection?.addEventListener("change", () => {
      const metered = meteredOf(connection);
      // Another network is another question; an estimate of the rate is none.
      if (metered !== this.observed.metered) this.#set({ metered, networkAllowed: false });
    });
  }

  /** Battery and idleness, as far as the browser tells them without a question. Resolves when their first values are there. */
  async start(): Promise<void> {
    await Promise.all([this.#followBattery(), this.#followIdle(), this.#followNotify()]);
  }

  /** The person lets the network be used: until it is another one, or the page is closed. */
  allowNetwork(): void {
    this.#set({ networkAllowed: true });
  }

  /** On the person's press alone: browsers answer no question otherwise. */
  async askForIdle(): Promise<void> {
    const answer = await idleDetector()
      ?.requestPermission()
      .catch(() => "denied" as const);
    if (answer === "granted") await this.#detectIdle();
    else if (answer === "denied") this.#able({ idle: "refused" });
  }

  /** On the person's press too. */
  async askToNotify(): Promise<void> {
    if (notifyAbility() === "ask") await Notification.requestPermission().catch(() => {});
    this.#able({ notify: notifyAbility() });
  }

  async #followBattery(): Promise<void> {
    const battery = await telling()
      .getBattery?.()
      .catch(() => undefined); // a policy forbids it
    if (!battery) return;
    const read = (): Battery => ({ charging: battery.charging, level: battery.level });
    for (const event of ["chargingchange", "levelchange"])
      battery.addEventListener(event, () => this.#set({ battery: read() }));
    this.#able({ battery: true });
    this.#set({ battery: read() });
  }

  /** What the person changes in the browser's own settings. */
  async #followNotify(): Promise<void> {
    const permission = await navigator.permissions?.query({ name: "notifications" }).catch(() => undefined);
    permission?.addEventListener("change", () => this.#able({ notify: notifyAbility() }));
  }

  async #followIdle(): Promise<void> {
    if (!idleDetector()) return;
    const name = "idle-detection" as PermissionName;
    const permission = await navigator.permissions?.query({ name }).catch(() => undefined);
    if (permission?.state === "granted") await this.#detectIdle();
    else if (permission?.state === "denied") this.#able({ idle: "refused" });
  }

  async #detectIdle(): Promise<void> {
    const Detector = idleDetector();
    if (!Detector || this.abilities.idle === "told") return;
    const detector = new Detector();
    const read = () => this.#set({ idle: detector.userState === "idle" || detector.screenState === "locked" });
    detector.addEventListener("change", read);
    try {
      await detector.start({ threshold: IDLE_AFTER_MS });
    } catch {
      return this.#able({ idle: "refused" });
    }
    this.#able({ idle: "told" });
    read();
  }

  #set(change: Partial<Observed>): void {
    this.observed = { ...this.observed, ...change };
    this.#onChange();
  }

  #able(change: Partial<Abilities>): void {
    this.abilities = { ...this.abilities, ...change };
    this.#onChange();
  }
}
