// The volunteer's limits, obeyed and explained, in a browser whose battery, network, idleness and view are stood in for.
import { expect, type Page, test } from "@playwright/test";
import { defaultControls } from "../apps/web/controls/settings.ts";
import { hostForAll, openDonor, SHORT_ROUNDS, untilRun } from "./support.ts";

const host = hostForAll({ run: SHORT_ROUNDS });

/** What the stood-in machine is; the page hears of every change. */
interface StoodIn {
  charging: boolean;
  level: number;
  network: string;
  idle: boolean;
  visible: boolean;
}
declare global {
  interface Window {
    __machine: { be(change: Partial<StoodIn>): void; locks: number };
  }
}

/** Runs in the page, before its scripts: a phone, plugged in, over mobile data. */
function standIn(): void {
  const so: StoodIn = { charging: true, level: 0.6, network: "cellular", idle: false, visible: true };
  const [battery, connection] = [new EventTarget(), new EventTarget()];
  const detectors: EventTarget[] = [];
  const read = (of: object, name: string, value: () => unknown) => Object.defineProperty(of, name, { get: value });
  read(battery, "charging", () => so.charging);
  read(battery, "level", () => so.level);
  read(connection, "type", () => so.network);
  read(connection, "saveData", () => false);
  read(document, "visibilityState", () => (so.visible ? "visible" : "hidden"));
  read(navigator, "connection", () => connection);
  read(navigator, "getBattery", () => async () => battery);
  class IdleDetector extends EventTarget {
    static requestPermission = async () => "granted";
    constructor() {
      super();
      detectors.push(this);
    }
    start = async () => {};
    screenState = "unlocked";
    get userState() {
      return so.idle ? "idle" : "active";
    }
  }
  Reflect.set(globalThis, "IdleDetector", IdleDetector);
  let lock: EventTarget | undefined;
  window.__machine = {
    locks: 0,
    be(change) {
      Object.assign(so, change);
      for (const event of ["chargingchange", "levelchange"]) battery.dispatchEvent(new Event(event));
      for (const target of [connection, ...detectors]) target.dispatchEvent(new Event("change"));
      if (!so.visible) lock?.dispatchEvent(new Event("release")); // as a browser does
      document.dispatchEvent(new Event("visibilitychange"));
    },
  };
  read(navigator, "wakeLock", () => ({
    request: async () => {
      window.__machine.locks++;
      const own = new EventTarget();
      lock = own;
      return Object.assign(own, { release: async () => own.dispatchEvent(new Event("release")) });
    },
  }));
}

const be = (page: Page, change: Partial<StoodIn>) => page.evaluate((so) => window.__machine.be(so), change);

/** Puts a value among what the page keeps in this browser, once the page has made its store there: the form stands for what it has read. */
async function keep(page: Page, name: string, value: unknown): Promise<void> {
  await page.locator(".controls").waitFor();
  await page.evaluate(
    ([key, kept]) =>
      new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open("gossamer");
        opening.onerror = () => reject(opening.error);
        opening.onupgradeneeded = () => opening.transaction?.abort(); // it would be ours, and empty
        opening.onsuccess = () => {
          const transaction = opening.result.transaction("settings", "readwrite");
          transaction.objectStore("settings").put(kept, key as string);
          transaction.oncomplete = () => {
            opening.result.close();
            resolve();
          };
        };
      }),
    [name, value] as const,
  );
}

test("every limit pauses, says why and until when, and goes on by itself; what is set is remembered", async () => {
  const { page, close } = await openDonor(host().url, { press: false });
  const reasons = page.locator(".pause-reasons > li");
  const codes = () => reasons.evaluateAll((items) => items.map((item) => item.getAttribute("data-code")));
  const paused = (...expected: string[]) => expect.poll(codes, { timeout: 20_000 }).toEqual(expected);
  const donating = () =>
    expect(page.locator("[data-status]")).toHaveAttribute("data-status", "donating", { timeout: 60_000 });
  const here = (what: string, ...states: string[]) =>
    untilRun(host(), what, ({ peers }) => {
      const present = peers.map(({ state }) => state).filter((state) => state !== "left");
      return present.length === (states.length === 0 ? 0 : 1) && present.every((state) => states.includes(state));
    });
  try {
    await page.addInitScript(standIn);
    await page.reload();
    const button = (name: string) => page.getByRole("button", { name, exact: true });
    const limits = page.locator(".controls summary");

    // Before the button: mobile data is asked about, and nothing is sent before the answer.
    await expect(button("Use this connection")).toBeVisible();
    const today = await page.evaluate(() => {
      const now = new Date();
      return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
    });
    await keep(page, "bytes of the day", { day: today, bytes: 6e9 });
    await button("Donate this GPU").click();
    await paused("metered", "daily-cap");
    await expect(page.getByText("6 GB were sent and received today, and your limit is 5 GB.")).toBeVisible();
    expect((await host().run()).peers).toEqual([]);
    await button("Use this connection").click();
    await paused("daily-cap");
    await limits.click();
    await page.getByLabel("Data a day").selectOption("no limit");
    await donating();
    await here("it takes part", "ready", "training", "offered");
    const [{ id }] = (await host().run()).peers;

    // For minutes: it stays with the run, and off the roster.
    await page.getByLabel("When to train").selectOption("only while this page is in view");
    await be(page, { visible: false });
    await paused("hidden");
    await here("paused", "paused");
    await be(page, { visible: true });
    await donating();
    await page.getByLabel("When to train").selectOption("only while you are away");
    await paused("in-use");
    await be(page, { idle: true });
    await donating();
    await page.getByLabel("When to train").selectOption("at any time");

    // The person's own pause needs the person; others do not end it.
    await button("Pause").click();
    await paused("by-hand");
    await expect(button("Resume")).toBeVisible();

    // For hours, or against traffic: it takes leave of the run. All reasons at once, each lifted by itself.
    await page.getByLabel("Battery to keep").selectOption("70%");
    await be(page, { charging: false, network: "wifi" });
    await paused("by-hand", "battery-low");
    await expect(page.getByText("The battery is at 60%, and you keep 70%.")).toBeVisible();
    await page.getByLabel("Only when plugged in").check();
    await be(page, { network: "cellular" }); // what was allowed was another network
    const hour = await page.evaluate(() => new Date().getHours());
    const clock = (hours: number) => `${String((hours + 24) % 24).padStart(2, "0")}:00`;
    await page.locator("#quiet").check();
    await page.getByLabel("Quiet hours, from").fill(clock(hour - 1));
    await page.getByLabel("Quiet hours, to").fill(clock(hour + 2));
    await paused("by-hand", "unplugged", "battery-low", "metered", "quiet-hours");
    await here("it took leave");
    await button("Resume").click();
    await paused("unplugged", "battery-low", "metered", "quiet-hours");
    await page.locator("#quiet").uncheck();
    await page.getByLabel("Mobile data").selectOption("use it");
    await paused("unplugged", "battery-low");
    await be(page, { charging: true });
    await donating();
    await here("it is back", "ready", "training", "offered");
    expect((await host().run()).peers.filter(({ state }) => state !== "left").map((peer) => peer.id)).toEqual([id]);

    // The screen: asked for while it trains, and again when the page is back in view.
    await page.getByLabel("Keep the machine awake").check();
    await expect(page.getByText("The screen stays on.", { exact: true })).toBeVisible();
    await be(page, { visible: false });
    await expect(page.getByText("bring it back to keep the screen on")).toBeVisible();
    await be(page, { visible: true });
    await expect(page.getByText("The screen stays on.", { exact: true })).toBeVisible();
    expect(await page.evaluate(() => window.__machine.locks)).toBe(2);

    // A browser that stops the whole tab for a while: detected, explained, resumed.
    await page.evaluate(() => {
      for (const event of ["freeze", "resume"]) document.dispatchEvent(new Event(event));
    });
    await expect(page.getByText("The browser froze this tab")).toBeVisible();
    await donating();

    await page.reload();
    await expect(page.getByText("Donating was interrupted")).toBeVisible();
    await limits.click();
    await expect(page.getByLabel("Battery to keep").locator("option:checked")).toHaveText("70%");
    await expect(page.getByLabel("Mobile data").locator("option:checked")).toHaveText("use it");
    await expect(page.getByLabel("Data a day").locator("option:checked")).toHaveText("no limit");
    await expect(page.getByLabel("Only when plugged in")).toBeChecked();
    await expect(page.getByLabel("Keep the machine awake")).toBeChecked();
    await expect(page.locator("#quiet")).not.toBeChecked();
  } finally {
    await close();
  }
});

test("a control that this browser cannot observe is there, disabled, with the reason; what is stored and damaged is said", async ({
  page,
}) => {
  await page.addInitScript(() => {
    for (const name of ["getBattery", "connection", "wakeLock"]) Reflect.deleteProperty(Navigator.prototype, name);
    Reflect.deleteProperty(globalThis, "IdleDetector");
  });
  await page.goto(host().url);
  await page.locator(".controls summary").click();
  for (const [label, reason] of [
    ["Only when plugged in", "This browser does not tell how the battery is."],
    ["Battery to keep", "This browser does not tell how the battery is."],
    ["Mobile data", "This browser does not tell Wi-Fi from mobile data."],
    ["Keep the machine awake", "This browser cannot keep a screen on."],
  ]) {
    await expect(page.getByLabel(label)).toBeDisabled();
    await expect(page.getByLabel(label)).toHaveAccessibleDescription(reason);
  }
  await expect(page.getByLabel("When to train").locator("option", { hasText: "away" })).toBeDisabled();
  await expect(page.getByLabel("When to train")).toHaveAccessibleDescription(/“Away” is not offered/);

  await keep(page, "controls", { version: 1, duty: 0.5, batteryMin: "much" });
  await page.reload();
  await expect(page.getByText(/Some stored limits could not be read .*battery/)).toBeVisible();
  await page.getByLabel("Data a day").selectOption("1 GB");
  await expect(page.getByText(/Some stored limits could not be read/)).toHaveCount(0);
  await expect(page.getByLabel("Data a day")).toBeVisible(); // the form stays open

  // The check before the button tells nobody.
  await page.getByText("Check this machine first").click();
  await expect(page.getByText("This machine can donate.")).toBeVisible({ timeout: 60_000 });
  await expect(page.locator(".preflight [data-state=passed]")).toHaveCount(3);
  await expect(page.locator(".preflight [data-state=direct]")).toHaveCount(1);
  expect((await host().run()).peers.filter(({ state }) => state !== "left")).toEqual([]);
});

test("what this browser does not tell: an unknown network is asked about on a phone, and who trains only while away waits", async () => {
  const { page, close } = await openDonor(host().url, { press: false });
  try {
    await page.addInitScript(() => {
      Reflect.deleteProperty(Navigator.prototype, "connection");
      Reflect.deleteProperty(globalThis, "IdleDetector");
      Object.defineProperty(navigator, "userAgentData", { get: () => ({ mobile: true }) });
    });
    await keep(page, "controls", { version: 1, ...defaultControls, when: "idle", duty: 0.5 });
    await page.reload();
    const codes = () =>
      page.locator(".pause-reasons > li").evaluateAll((items) => items.map((item) => item.getAttribute("data-code")));
    const donating = () =>
      expect(page.locator("[data-status]")).toHaveAttribute("data-status", "donating", { timeout: 60_000 });
    await expect.poll(codes).toEqual(["network-unknown"]); // before the button
    await page.getByRole("button", { name: "Donate this GPU" }).click();
    await expect.poll(codes, { timeout: 20_000 }).toEqual(["idle-unknown", "network-unknown"]);
    await page.getByRole("button", { name: "Use this connection" }).click();
    await expect.poll(codes).toEqual(["idle-unknown"]);
    await page.locator(".controls summary").click();
    await page.getByLabel("When to train").selectOption("only while this page is in view");
    await donating();

    // What was set is there after a reload: also what no other test sets.
    await expect(page.getByLabel("Time for training")).toHaveValue("0.5");
    await page.getByLabel("Time for training").focus();
    await page.keyboard.press("ArrowLeft");
    await expect(page.getByLabel("Time for training")).toHaveAttribute("aria-valuetext", "40% of the time");
    await page.locator("#quiet").check();
    await page.getByLabel("Hide my address from other volunteers").check();
    await page.reload();
    await page.locator(".controls summary").click();
    await expect(page.getByLabel("When to train").locator("option:checked")).toHaveText(
      "only while this page is in view",
    );
    await expect(page.getByLabel("Quiet hours, from")).toHaveValue("22:00");
    await expect(page.getByLabel("Hide my address from other volunteers")).toBeChecked();
    await page.locator("#quiet").uncheck();
    await page.getByRole("button", { name: "Use this connection" }).click();
    await page.getByRole("button", { name: "Donate this GPU" }).click();
    await donating();
    await expect(page.getByLabel("Time for training")).toHaveValue("0.4");
  } finally {
    await close();
  }
});

test("who hides the address is linked through the host alone", async () => {
  const hiding = await openDonor(host().url, { press: false });
  const other = await openDonor(host().url, { press: false });
  try {
    await hiding.page.locator(".controls summary").click();
    await hiding.page.getByLabel("Hide my address from other volunteers").check();
    await expect(hiding.page.getByText("Your IP address is visible to the host alone")).toBeVisible();
    const candidates = hiding.page.evaluate(
      () =>
        new Promise<string[]>((resolve) => {
          const made: string[] = [];
          const Real = RTCPeerConnection;
          globalThis.RTCPeerConnection = class extends Real {
            constructor(config?: RTCConfiguration) {
              super(config);
              made.push(JSON.stringify(config));
            }
          };
          Reflect.set(globalThis, "connectionsMade", () => resolve(made));
        }),
    );
    await Promise.all([hiding.donate(), other.donate()]);
    const run = await untilRun(host(), "a link through the host, at both ends", ({ peers }) => {
      const links = peers.filter(({ state }) => state !== "left").flatMap((peer) => peer.links);
      return links.length === 2 && links.every(({ kind }) => kind === "relayed");
    });
    await untilRun(host(), "rounds go on", ({ round }) => round >= run.round + 2);
    const { page } = hiding;
    await page.getByRole("heading", { name: "Mesh" }).scrollIntoViewIfNeeded();
    await expect(page.getByRole("img", { name: "Mesh of 2 peers with 1 link: 1 through the host" })).toBeVisible();
    await expect(page.getByRole("region", { name: "Your links" }).getByRole("row").nth(1)).toContainText(
      "through the host",
    );
    await expect(page.locator(".bandwidth .totals [data-way=direct] dd")).toHaveText(/^0 B/);
    await expect(page.locator(".bandwidth .totals [data-way=relayed] dd")).toHaveText(/^[\d.]+ [kM]B/);
    await hiding.page.evaluate(() => Reflect.get(globalThis, "connectionsMade")());
    expect(await candidates).toEqual([]); // the host has no TURN server: no connection that could name an address
  } finally {
    await Promise.all([hiding.close(), other.close()]);
  }
});
