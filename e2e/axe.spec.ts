// The page judged by axe-core (WCAG 2.2 A and AA, and axe's best practices) in each of its main states: narrow and wide, light and dark.
import { expect, test } from "@playwright/test";
import { bringAxe, findings } from "./axe.ts";
import { hostForAll, openDonor } from "./support.ts";

const host = hostForAll();

test("before donating, donating, paused and stopped", async () => {
  const donor = await openDonor(host().url, { press: false });
  const { page } = donor;
  try {
    await bringAxe(page);
    await page.reload();
    const button = (name: string) => page.getByRole("button", { name, exact: true });
    await expect(button("Donate this GPU")).toBeVisible();
    await expect(page.getByRole("heading", { name: "Bandwidth" })).toBeVisible();
    await page.getByText("Limits: ").click();
    await page.getByText("Your key, and what this browser keeps").click();
    await expect(page.getByLabel("Key file")).toBeVisible();
    expect(await findings(page)).toEqual([]);
    await button("Donate this GPU").click();
    await expect(page.locator("[data-figure=own-loss]")).toHaveText(/^\d+\.\d+$/, { timeout: 60_000 });
    expect(await findings(page)).toEqual([]);
    await button("Pause").click();
    await expect(page.getByRole("status").first()).toHaveText("Paused");
    expect(await findings(page)).toEqual([]);
    await button("Stop").click();
    await expect(button("Donate this GPU")).toBeVisible();
    expect(await findings(page)).toEqual([]);
  } finally {
    await donor.close();
  }
});

test("watching, without WebGPU, and without the host", async ({ page }) => {
  await bringAxe(page);
  await page.goto(`${host().url}/watch`);
  await expect(page.getByRole("heading", { name: "Right now" })).toBeVisible();
  expect(await findings(page)).toEqual([]);
  await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, "gpu"));
  await page.goto(host().url);
  await expect(page.getByRole("button", { name: "Donate this processor" })).toBeVisible();
  expect(await findings(page)).toEqual([]);
  await page.goto(`${host().url}/?backend=webgpu`);
  await expect(page.getByRole("alert")).toContainText("This browser has no WebGPU");
  expect(await findings(page)).toEqual([]);
  await page.route("**/api/**", (route) => route.abort());
  await page.reload();
  await expect(page.getByText("The host does not answer.")).toBeVisible();
  expect(await findings(page)).toEqual([]);
  // What finds nothing must be able to find something.
  await page.evaluate(() => document.querySelector("main")?.append(document.createElement("button")));
  expect((await findings(page)).join()).toContain("button-name");
});
