// One state of the page, looked at: by axe, and for what is cut off or sticks out.
//
//   wear(page, look)              its colours
//   show(page, state, look)       in its width and language
//   complaints(page, look)        of what is shown
//
// States share most of their parts, and axe takes half a second for a whole page: so a part that was judged in a look is not judged in it
// again, and the whole is judged once for each order of headings and landmarks.
import type { Page } from "@playwright/test";
import type { AxeResults } from "axe-core";
import { AXE_TAGS } from "./axe.ts";

export interface Look {
  readonly name: string;
  readonly width: number;
  readonly colorScheme: "light" | "dark";
  readonly language: "en" | "de";
}

export const looks: readonly Look[] = [1280, 390].flatMap((width) =>
  (["light", "dark"] as const).flatMap((colorScheme) =>
    (["en", "de"] as const).map((language) => ({
      name: `${width} px, ${colorScheme}, ${language}`,
      width,
      colorScheme,
      language,
    })),
  ),
);

/** Parts far out of sight are not drawn anew (views/seen.tsx): here all is in sight. What is for a wall has a wall's proportions. */
const heightFor = (state: string): number => (state.startsWith("kiosk") ? 800 : 12_000);

export const wear = (page: Page, { colorScheme }: Look): Promise<void> =>
  page.emulateMedia({ colorScheme, reducedMotion: "reduce" }); // a colour in transition is judged as it passes

export async function show(page: Page, state: string, { width, language }: Look): Promise<void> {
  const [height, now] = [heightFor(state), page.viewportSize()];
  if (now?.width !== width || now.height !== height) await page.setViewportSize({ width, height });
  await page.evaluate(([name, words]) => window.__looks.show(name, words), [state, language] as const);
}

/** Of a choice, beside its text. */
const ARROW_PX = 16;

/** Of what is shown now. */
export function complaints(page: Page, { name }: Look): Promise<string[]> {
  return page.evaluate(
    async ({ look, tags, arrowPx }) => {
      const judged: Set<string> = Reflect.get(globalThis, "judged") ?? new Set();
      Reflect.set(globalThis, "judged", judged);
      const isNew = (text: string): boolean => !judged.has(text) && !!judged.add(text);

      const frames = "#root, main, .first, .panel, .panel > details, .two, .seen, .kiosk";
      const known: HTMLElement[] = [];
      const freshIn = (element: HTMLElement, path: string): HTMLElement[] => {
        if (element.matches(frames)) {
          const own = `${path}>${element.tagName}.${element.className}`;
          return [...element.children].flatMap((child) => freshIn(child as HTMLElement, own));
        }
        if (isNew(`${look} ${path} ${element.outerHTML}`)) return [element];
        known.push(element);
        return [];
      };
      const fresh = freshIn(document.querySelector<HTMLElement>("#root")!, "");
      const skeleton = [...document.querySelectorAll("h1,h2,h3,header,nav,main,footer,section")];
      const whole = isNew(skeleton.map(({ tagName, className }) => `${tagName}.${className}`).join());
      const found: string[] = [];
      if (whole || fresh.length > 0) {
        const context = whole ? document : { include: fresh };
        const options = { runOnly: tags, resultTypes: ["violations"] };
        if (!whole) for (const { style } of known) style.display = "none"; // axe would reckon with each of them all the same
        const { violations } = (await Reflect.get(globalThis, "axe").run(context, options)) as AxeResults;
        for (const { style } of known) style.removeProperty("display");
        for (const { id, nodes } of violations)
          for (const { target, failureSummary } of nodes)
            found.push(`${id} at ${target.join(" ")}: ${failureSummary?.replace(/\s+/g, " ")}`);
      }

      const measure = document.createElement("canvas").getContext("2d")!;
      for (const select of document.querySelectorAll<HTMLSelectElement>(".control select")) {
        const { font, paddingLeft, paddingRight } = getComputedStyle(select);
        const room = select.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight) - arrowPx;
        measure.font = font;
        for (const { text } of select.options)
          if (room > 0 && measure.measureText(text).width > room + 1) found.push(`cut off in a choice: “${text}”`);
      }
      const page = document.documentElement;
      if (page.scrollWidth > innerWidth) found.push(`the page is ${page.scrollWidth - innerWidth} px too wide`);
      const scrolls = ".scroll, .sections, .plot, .sr-only, .skip, pre";
      const named = ({ tagName, className, textContent }: HTMLElement): string =>
        `${tagName.toLowerCase()}.${className} “${textContent.slice(0, 60)}”`;
      for (const element of document.body.querySelectorAll<HTMLElement>("*")) {
        if (element.closest(scrolls) !== null || element.closest("svg") !== null) continue;
        const { left, right, width } = element.getBoundingClientRect();
        if (width > 0 && (left < -1 || right > innerWidth + 1)) found.push(`sticks out: ${named(element)}`);
        // Of an inline element both are 0. A fraction of a pixel is rounded up in one and down in the other.
        else if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0) {
          const { overflowX, textOverflow } = getComputedStyle(element);
          if (textOverflow !== "ellipsis")
            found.push(`${overflowX === "visible" ? "sticks out of" : "cut off in"} ${named(element)}`);
        }
      }
      return found;
    },
    { look: name, tags: AXE_TAGS, arrowPx: ARROW_PX },
  );
}
