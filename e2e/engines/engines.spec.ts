// Watching in Firefox and in WebKit: a made-up run through the real API and the page as built.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { type SyntheticHost, serveSynthetic } from "../../apps/cli/watch/serve.ts";
import { type Driver, firefox, keys, webkit } from "./driver.ts";
import { firefoxProgram, WEBKIT_DRIVER } from "./ready.ts";

const SWARM = { peers: 40, rounds: 300, contributors: 8, seed: 7, endsAt: Date.UTC(2026, 10, 21, 15) };

/** Before any script of the page: keeps whatever goes wrong. A file of its own, since the page's policy allows no other. */
const LISTENER = `
  window.complaints = [];
  const complain = (text) => window.complaints.push(String(text));
  addEventListener("error", ({ message, target }) => complain(message ?? "not loaded: " + (target.src ?? target.href)), true);
  addEventListener("unhandledrejection", ({ reason }) => complain(reason));
  document.addEventListener("securitypolicyviolation", (event) => complain(event.violatedDirective + " " + event.blockedURI));
  const { error } = console;
  console.error = (...words) => { complain(words.join(" ")); error(...words); };
`;

/** The page as built, but for one script more. */
function pageThatComplains(): string {
  const folder = mkdtempSync(join(tmpdir(), "gossamer-page-"));
  cpSync("dist/web", folder, { recursive: true });
  const index = join(folder, "index.html");
  writeFileSync(join(folder, "complaints.js"), LISTENER);
  writeFileSync(index, readFileSync(index, "utf8").replace("<head>", '<head><script src="/complaints.js"></script>'));
  for (const packed of [".br", ".gz"]) rmSync(index + packed, { force: true });
  return folder;
}

const engines = [
  {
    name: "Firefox",
    start: () => firefox(firefoxProgram() ?? "firefox"),
    advice: "Update Firefox",
  },
  {
    name: "WebKit",
    start: () => webkit(WEBKIT_DRIVER),
    advice: "Open this page in a current Chrome, Edge, Firefox or Safari", // GNOME's browser is no Safari that could be updated
  },
] as const;

let page: string;
let host: SyntheticHost;
test.beforeAll(async () => {
  page = pageThatComplains();
  host = await serveSynthetic(page, SWARM);
});
test.afterAll(async () => {
  await host.close();
  rmSync(page, { recursive: true });
});

const textOf = (driver: Driver, selector: string): Promise<string> =>
  driver.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ""`);
const countOf = (driver: Driver, selector: string): Promise<number> =>
  driver.evaluate(`document.querySelectorAll(${JSON.stringify(selector)}).length`);
const complaints = (driver: Driver): Promise<string[]> => driver.evaluate("window.complaints");

for (const { name, start, advice } of engines)
  test.describe(name, () => {
    let driver: Driver;
    test.beforeAll(async () => {
      driver = await start();
    });
    test.afterAll(() => driver.close());

    test("every part of the live page is there, its figures move, and nothing goes wrong", async () => {
      await driver.open(`${host.url}/watch`);
      await expect.poll(() => textOf(driver, "h1")).toContain("State of the Union");
      const headings = () => driver.evaluate<string[]>(`[...document.querySelectorAll("main h2")].map(({ id }) => id)`);
      await expect
        .poll(headings)
        .toEqual(expect.arrayContaining(["now", "rounds", "peers", "mesh", "bandwidth", "anchors", "machines"]));
      await expect.poll(() => countOf(driver, ".plot canvas"), { timeout: 30_000 }).toBeGreaterThan(3);
      await expect.poll(() => countOf(driver, ".orb .drop")).toBeGreaterThan(0);
      await expect.poll(() => textOf(driver, ".peers tbody")).toContain("%");
      const drawn = `(() => {
        const { data } = document.querySelector(".mesh-canvas").getContext("2d").getImageData(0, 0, 300, 300);
        return data.some((value) => value !== 0);
      })()`;
      await expect.poll(() => driver.evaluate(drawn)).toBe(true);
      const before = await textOf(driver, ".now");
      await expect.poll(() => textOf(driver, ".now"), { timeout: 30_000 }).not.toBe(before);
      expect(await complaints(driver)).toEqual([]);
    });

    test("by keyboard back to the first round, on to the next, and to live again", async () => {
      await driver.open(`${host.url}/watch`);
      await expect.poll(() => countOf(driver, ".scrub input")).toBe(1);
      await driver.evaluate(`document.querySelector(".scrub input").focus()`);
      await driver.press(keys.home);
      await expect.poll(() => textOf(driver, ".round-number")).toBe("Round 1");
      await driver.press(keys.right);
      await expect.poll(() => textOf(driver, ".round-number")).toBe("Round 2");
      expect(await driver.evaluate("location.search")).toBe("?round=2");
      await driver.evaluate(`document.querySelector(".scrub-state a").focus()`);
      await driver.press(keys.enter);
      await expect.poll(() => driver.evaluate("location.search")).toBe("");
      await expect.poll(() => textOf(driver, "#now")).toBe("Right now");
      expect(await complaints(driver)).toEqual([]);
    });

    for (const [look, width] of [
      ["on a phone", 390],
      ["on a desktop", 1280],
    ] as const)
      test(`nothing sticks out ${look}`, async () => {
        await driver.resize(width, 900);
        await driver.open(`${host.url}/watch`);
        await expect.poll(() => countOf(driver, "#learning")).toBe(1);
        await driver.evaluate(`document.querySelector("#learning").scrollIntoView()`);
        await expect.poll(() => countOf(driver, ".plot canvas"), { timeout: 30_000 }).toBeGreaterThan(3);
        const shown = await driver.evaluate<number>("innerWidth");
        expect(shown).toBeGreaterThanOrEqual(width);
        expect(shown).toBeLessThan(width + 80); // MiniBrowser's own buttons allow no less than 447
        expect(await driver.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(shown);
      });

    test("a GPU that is asked for and not there: the reason says what to do for this browser", async () => {
      await driver.open(`${host.url}/?backend=webgpu`);
      await expect.poll(() => textOf(driver, ".problem"), { timeout: 30_000 }).toContain("This browser has no WebGPU");
      expect(await textOf(driver, ".problem .remedy")).toContain(advice);
      expect(await textOf(driver, ".problem")).toContain("Watch the run instead");
      expect(await complaints(driver)).toEqual([]);
    });
  });
