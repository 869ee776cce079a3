// The page in every state that it has (apps/web/views/states.ts): narrow and wide, light and dark, English and German. axe finds nothing,
// and nothing is cut off or sticks out. In `npm test` each state has one of four looks, in turn; `npm run proof:looks` gives each all eight.
import { expect, type Page, test } from "@playwright/test";
import { type SyntheticHost, serveSynthetic } from "../apps/cli/watch/serve.ts";
import { bringAxe } from "./axe.ts";
import { complaints, type Look, looks, show, wear } from "./looks.ts";

/** Nobody sees the pixels of a page that is twelve screens high. */
const SCALE = 0.25;
test.use({ deviceScaleFactor: SCALE });

const WHOLE = process.env.GOSSAMER_PROOF === "whole";

let host: SyntheticHost;
test.beforeAll(async () => {
  host = await serveSynthetic("dist/looks", { peers: 1, rounds: 0, contributors: 1, seed: 7, endsAt: 0 });
});
test.afterAll(() => host.close());

async function open(page: Page): Promise<readonly string[]> {
  await bringAxe(page);
  await page.goto(host.url);
  return page.evaluate(() => window.__looks.states);
}

/** Each width with each colour scheme, and each language with both. */
const fewLooks = looks.filter(
  ({ width, colorScheme, language }) => (language === "en") === ((width === 1280) === (colorScheme === "light")),
);
const looksHere = WHOLE ? looks : fewLooks;

/** Which of the states are looked at in that look: neighbours in the list are of the same part of the page, so each part has each look. */
const share = (states: readonly string[], look: Look): readonly string[] =>
  WHOLE ? states : states.filter((_, i) => looksHere[i % looksHere.length] === look);

/** Pages that walk at once: what takes the time is one thread of each. */
const WALKERS = 2;

test("axe finds nothing in any state, and nothing is cut off", async ({ browser }) => {
  if (WHOLE) test.setTimeout(30 * 60_000);
  const found: string[] = [];
  let seen = 0;
  const walk = async (walker: number): Promise<number> => {
    const page = await browser.newPage({ deviceScaleFactor: SCALE });
    const states = await open(page);
    for (const look of looksHere.filter((_, i) => i % WALKERS === walker)) {
      await wear(page, look);
      for (const state of share(states, look)) {
        await show(page, state, look);
        found.push(...(await complaints(page, look)).map((complaint) => `${state}, ${look.name}: ${complaint}`));
        seen++;
      }
    }
    await page.close();
    return states.length;
  };
  const [states] = await Promise.all(Array.from({ length: WALKERS }, (_, walker) => walk(walker)));
  expect(found).toEqual([]);
  expect(states).toBeGreaterThan(100);
  expect(seen).toBe(states * (WHOLE ? looks.length : 1));
});

test("and would be found: a button without a name, grey on grey, a word too long, a sentence cut off", async ({
  page,
}) => {
  const [state] = await open(page);
  const [look] = looks;
  await wear(page, look);
  await show(page, state, look);
  expect(await complaints(page, look)).toEqual([]);
  for (const [tag, text, style, complaint] of [
    ["button", "", "", "button-name"],
    ["p", "grey on grey", "color: #999; background: #aaa", "color-contrast"],
    ["p", "m".repeat(400), "", "sticks out"],
    ["p", "all of a sentence", "width: 3rem; overflow: hidden; white-space: nowrap", "cut off"],
  ]) {
    await page.evaluate(
      ([name, content, css]) => {
        const element = document.createElement(name);
        element.textContent = content;
        element.style.cssText = css;
        document.querySelector("main .about")?.append(element);
      },
      [tag, text, style],
    );
    expect((await complaints(page, look)).join(), complaint).toContain(complaint);
    await page.evaluate(() => document.querySelector("main .about")?.lastElementChild?.remove());
  }
});
