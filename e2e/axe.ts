// The page judged by axe-core (WCAG 2.2 A and AA, and axe's best practices): narrow and wide, light and dark.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import type { AxeResults } from "axe-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const appearances = [1280, 390].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => ({ width, colorScheme })),
);

/** Rule, element and remedy of everything that axe finds, in both widths and both colour schemes. */
export async function findings(page: Page): Promise<string[]> {
  const found = new Set<string>();
  for (const { width, colorScheme } of appearances) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" }); // a colour in transition is judged as it passes
    const { violations } = (await page.evaluate(
      (runOnly) => Reflect.get(globalThis, "axe").run(document, { runOnly, resultTypes: ["violations"] }),
      AXE_TAGS,
    )) as AxeResults;
    for (const { id, nodes } of violations)
      for (const { target, failureSummary } of nodes)
        found.add(`${width} px, ${colorScheme}: ${id} at ${target.join(" ")}: ${failureSummary?.replace(/\s+/g, " ")}`);
  }
  return [...found];
}

/** Before any script of the page: the page's policy forbids what comes later. */
export const bringAxe = (page: Page): Promise<unknown> => page.addInitScript({ content: axeSource });
