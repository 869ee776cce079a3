// The page as a person meets it: before the button, by keyboard, without WebGPU, without a secure context, and only watching.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { chromiumFlags } from "../apps/cli/browser.ts";
import { openDonor, startHost, type TestHost } from "./support.ts";

let host: TestHost;
test.beforeAll(async () => {
  host = await startHost();
});
test.afterAll(async () => {
  await host.stop();
  host.remove();
});

/** Everything that a page must not do: errors, warnings of the console, violations of the policy. */
function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return complaints;
}

test("watching needs no GPU, opens no peer connection and breaks no policy", async ({ page }) => {
  const complaints = complaintsOf(page);
  await page.addInitScript(() => {
    Reflect.set(globalThis, "violations", []);
    document.addEventListener("securitypolicyviolation", (event) => {
      Reflect.get(globalThis, "violations").push(`${event.violatedDirective} ${event.blockedURI}`);
    });
    Reflect.set(navigator, "gpu", undefined);
    Reflect.deleteProperty(globalThis, "RTCPeerConnection"); // opening one would throw
  });
  await page.goto(`${host.url}/watch`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/nano/);
  await expect(page.getByRole("heading", { name: "Right now" })).toBeVisible();
  await expect(page.getByRole("img", { name: /web is empty|peers/ })).toBeVisible();
  await expect(page.getByRole("button")).toHaveCount(0);
  expect(await page.evaluate(() => Reflect.get(globalThis, "violations"))).toEqual([]);
  expect(complaints).toEqual([]);
});

test("by keyboard alone: donate, pause, resume, stop; focus stays in the panel, and states are announced", async () => {
  const donor = await openDonor(host.url, { press: false });
  const { page } = donor;
  try {
    const live = page.getByRole("status").first();
    const press = async (name: string) => {
      const button = page.getByRole("button", { name, exact: true });
      await expect(button).toBeVisible({ timeout: 60_000 });
      for (let tabs = 0; tabs < 30; tabs++) {
        if (await button.evaluate((element) => element === document.activeElement)) break;
        await page.keyboard.press("Tab");
      }
      await expect(button).toBeFocused();
      await page.keyboard.press("Enter");
    };
    await press("Donate this GPU");
    await expect(page.locator(".panel")).toBeFocused();
    await expect(live).toHaveText("Donating", { timeout: 60_000 });
    await expect(page.locator("[data-figure=own-loss]")).toHaveText(/^\d+\.\d+$/, { timeout: 60_000 });
    await expect(page.getByText("software adapter", { exact: true })).toBeVisible();
    await press("Pause");
    await expect(live).toHaveText("Paused");
    await press("Resume");
    await expect(live).toHaveText("Donating");
    await press("Stop");
    await expect(live).toHaveText("Stopped");
    await expect(page.getByRole("button", { name: "Donate this GPU" })).toBeVisible();
  } finally {
    await donor.close();
  }
});

test("without WebGPU, where it is asked for, the page says so, and leads to the watch page", async ({ page }) => {
  await page.addInitScript(() => Reflect.deleteProperty(Navigator.prototype, "gpu"));
  await page.goto(`${host.url}/?backend=webgpu`);
  await expect(page.getByRole("alert")).toContainText("This browser has no WebGPU");
  await expect(page.getByRole("button", { name: "Donate this GPU" })).toHaveCount(0);
  await page.getByRole("link", { name: "Watch the run instead" }).click();
  await expect(page.getByRole("heading", { name: "Contribution" })).toBeVisible();
});

/** What the page keeps under that name in this browser. */
function settingIn(name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("gossamer");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const asked = opening.result.transaction("settings").objectStore("settings").get(name);
      asked.onerror = () => reject(asked.error);
      asked.onsuccess = () => {
        opening.result.close();
        resolve(asked.result);
      };
    };
  });
}

test("a browser without an adapter gives its processor: threads that share memory train, and the page names them", async () => {
  const flags = chromiumFlags().filter((flag) => flag !== "--enable-unsafe-webgpu");
  const { page, close } = await openDonor(host.url, { press: false, flags });
  const complaints = complaintsOf(page);
  try {
    await page.getByRole("button", { name: "Donate this processor" }).click();
    await expect(page.locator("[data-figure=own-loss]")).toHaveText(/^\d+\.\d+$/, { timeout: 60_000 });
    await expect(page.getByText(/^Processor \(\d+ threads, relaxed SIMD\)$/).first()).toBeVisible();
    await expect(page.getByText("No GPU here: the processor trains")).toBeVisible();
    await expect.poll(async () => (await host.run()).head.round, { timeout: 90_000 }).toBeGreaterThan(0);
    expect((await host.run()).peers.map(({ adapter }) => adapter?.backend)).toContain("wasm");
    const calibrated = () => page.evaluate(settingIn, "microbatch"); // the next start need not measure; a busy machine measures for rounds
    const measured = { of: expect.stringContaining("wasm"), microbatch: expect.any(Number) };
    await expect.poll(calibrated, { timeout: 60_000 }).toMatchObject(measured);
    expect(8 % ((await calibrated()) as { microbatch: number }).microbatch).toBe(0);
    expect(complaints).toEqual([]);
  } finally {
    await close();
  }
});

test("a GPU that computes wrongly is refused before it donates, with a report to pass on", async ({ page }) => {
  const wrong = pageWith("sines[angle] * shape.direction", "sines[angle] * shape.direction * 1.01");
  const swarm = await startHost({ args: ["--page", wrong] });
  try {
    await page.goto(swarm.url);
    await page.getByRole("button", { name: "Donate this GPU" }).click();
    const alert = page.getByRole("alert");
    await expect(alert).toContainText("This GPU computes wrongly", { timeout: 60_000 });
    await expect(alert).toContainText("(rope)");
    await alert.getByText("Report", { exact: true }).click();
    const report = JSON.parse((await alert.locator("pre").textContent()) ?? "");
    expect(report.adapter.architecture).toBe("swiftshader");
    expect(report.failed[0]).toMatchObject({ kernel: "rope", tensor: "turned" });
    await expect(alert.getByRole("button", { name: "Copy the report" })).toBeVisible();
    expect((await swarm.run()).tokens).toBe(0);
    await alert.getByRole("link", { name: "Donate the processor instead" }).click();
    await page.getByRole("button", { name: "Donate this processor" }).click();
    await expect.poll(async () => (await swarm.run()).tokens, { timeout: 60_000 }).toBeGreaterThan(0);
  } finally {
    await swarm.stop();
    swarm.remove();
    rmSync(wrong, { recursive: true });
  }
});

/** The page as built, in a folder of its own, but for one place in its scripts: as a driver might get a kernel wrong. */
function pageWith(right: string, wrong: string): string {
  const folder = mkdtempSync(join(tmpdir(), "gossamer-page-"));
  cpSync("dist/web-test", folder, { recursive: true });
  const assets = join(folder, "assets");
  const scripts = readdirSync(assets)
    .filter((name) => name.endsWith(".js"))
    .map((name) => ({ file: join(assets, name), code: readFileSync(join(assets, name), "utf8") }))
    .filter(({ code }) => code.includes(right));
  expect(scripts.length, "scripts that hold that place: of the worker, and of the page that plans").toBeGreaterThan(0);
  for (const { file, code } of scripts) {
    writeFileSync(file, code.replace(right, wrong));
    for (const packed of [`${file}.br`, `${file}.gz`]) rmSync(packed, { force: true });
  }
  return folder;
}

test("over plain HTTP from another machine the page says what to open instead", async ({ page }) => {
  const built = join(import.meta.dirname, "../dist/web");
  // No name is resolved and no packet leaves: the page's files are handed over here, under an origin that is not secure.
  await page.route("http://gossamer.example/**", async (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path.startsWith("/api/")) return route.abort();
    const body = await readFile(join(built, path === "/" ? "index.html" : path));
    const types: Record<string, string> = { js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
    return route.fulfill({ body, contentType: types[path.split(".").pop() ?? ""] ?? "text/html" });
  });
  await page.goto("http://gossamer.example/");
  await expect(page.getByRole("alert")).toContainText("This address is not secure");
  await expect(page.getByRole("alert")).toContainText("http://localhost");
  await expect(page.getByText("The host does not answer.")).toBeVisible();
});

for (const width of [320, 390, 768, 1280])
  test(`nothing is cut off at ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(host.url);
    await expect(page.getByRole("heading", { name: "Bandwidth" })).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });
