// What a volunteer is told when this machine stops by itself, and what still holds after the page was loaded anew.
import { expect, type Page, test } from "@playwright/test";
import { openDonor, specLike, startHost } from "./support.ts";

/** Before the page's scripts: somebody who does not look, and a browser that keeps what it was told to show. */
function notLooking(): void {
  Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
  const shown: string[] = [];
  Reflect.set(globalThis, "shown", shown);
  const { prototype } = ServiceWorkerRegistration;
  const show = prototype.showNotification;
  prototype.showNotification = function (title, options) {
    shown.push(`${title}: ${options?.body}`);
    return show.call(this, title, options);
  };
}
const shownIn = (page: Page): Promise<string[]> => page.evaluate(() => Reflect.get(globalThis, "shown"));
const wish = (page: Page) => page.getByLabel("Tell me when it stops");

test("a notification when the run ends under somebody who does not look, for who wants it", async () => {
  const spec = specLike(() => ({ end: { roundsMax: 1 } }));
  const host = await startHost({ run: spec.file });
  const donor = await openDonor(host.url, {
    press: false,
    context: { permissions: ["notifications"], serviceWorkers: "allow" },
  });
  const { page } = donor;
  try {
    await page.addInitScript(notLooking);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    await page.reload();
    await page.getByText("Limits: ").click();
    await wish(page).check();
    await expect(page.getByText("A notification when training stops and you did not ask for it")).toBeVisible();
    await donor.donate();
    await expect.poll(() => shownIn(page), { timeout: 90_000 }).toHaveLength(1);
    expect((await shownIn(page))[0]).toBe("This machine stopped training: The run has reached its goal. Thank you!");
    const kept = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      return (await registration?.getNotifications())?.map(({ title }) => title);
    });
    expect(kept).toEqual(["This machine stopped training"]); // the browser took it
  } finally {
    await donor.close();
    await host.stop();
    host.remove();
    spec.remove();
  }
});

test("a browser that was told to show none says so, and so does one that has none", async ({ page }) => {
  const host = await startHost();
  try {
    await page.addInitScript(() => {
      Object.defineProperty(Notification, "permission", { get: () => Reflect.get(globalThis, "answer") ?? "default" });
      Notification.requestPermission = async () => {
        Reflect.set(globalThis, "answer", "denied"); // the person's answer
        return "denied";
      };
    });
    await page.goto(host.url);
    await page.getByText("Limits: ").click();
    await expect(page.getByText("The browser asks whether this page may send notifications.")).toBeVisible();
    await wish(page).click();
    await expect(page.getByText("Not offered: the browser has been told not to show")).toBeVisible();
    await expect(wish(page)).toBeDisabled();
    await expect(wish(page)).not.toBeChecked();
    await page.addInitScript(() => Reflect.deleteProperty(globalThis, "Notification"));
    await page.reload();
    await page.getByText("Limits: ").click();
    await expect(page.getByText("This browser has no notifications.")).toBeVisible();
    await expect(wish(page)).toBeDisabled();
  } finally {
    await host.stop();
    host.remove();
  }
});

test("a press of Pause holds after a reload, until Resume", async () => {
  const host = await startHost();
  const donor = await openDonor(host.url);
  const { page } = donor;
  try {
    const live = page.getByRole("status").first();
    await expect(live).toHaveText("Donating", { timeout: 60_000 });
    await page.getByRole("button", { name: "Pause" }).click();
    await expect(live).toHaveText("Paused");
    await page.reload();
    await expect(page.getByText("You pressed Pause. It goes on when you press Resume.")).toBeVisible();
    await expect(page.getByRole("button", { name: "Donate this GPU" })).toHaveCount(0);
    expect((await host.run()).peers.filter(({ state }) => state !== "left")).toEqual([]); // it did not even join
    await page.getByRole("button", { name: "Resume" }).click();
    await expect(live).toHaveText("Donating", { timeout: 60_000 });
  } finally {
    await donor.close();
    await host.stop();
    host.remove();
  }
});
