// Every text of the page comes from the catalogue: with a language whose every text is marked, what is left unmarked is data.
import { renderToString } from "react-dom/server";
import { describe, expect, test } from "vitest";
import { goalReason, reasonByCode } from "#wire/reasons";
import type { PageSnapshot } from "../page-state.ts";
import * as fixtures from "../views/fixtures.ts";
import { Page } from "../views/page.tsx";
import { taskLine } from "../views/state-lines.ts";
import { everyState } from "../views/states.ts";
import { problems } from "../worker/problems.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";
import type { Words } from "./index.ts";
import { languageFor } from "./language.ts";

/** The same catalogue, each text in brackets; a function's text as well. */
function marked<T>(texts: T): T {
  if (typeof texts === "string") return `⟦${texts}⟧` as T;
  if (typeof texts === "function") return ((...given: unknown[]) => marked(texts(...given))) as T;
  if (Array.isArray(texts)) return texts.map(marked) as T;
  return Object.fromEntries(Object.entries(texts as object).map(([name, text]) => [name, marked(text)])) as T;
}
const pseudo: Words = { ...marked(en), language: "en" };

/** What stands unmarked in text, and in attributes that are read. */
function unmarked(snapshot: PageSnapshot): string[] {
  const markup = renderToString(<Page page={{ ...snapshot, words: pseudo }} actions={fixtures.actions} />)
    .replaceAll("<!-- -->", "")
    .replace(/<select.*?<\/select>/g, ""); // languages are named in their own
  const attributes = [...markup.matchAll(/ (?:aria-label|aria-valuetext|title|alt|placeholder)="([^"]*)"/g)];
  const read = [...attributes.map(([, value]) => value), markup.replace(/<(code|bdi)[^>]*>.*?<\/\1>|<[^>]*>/g, " ")];
  return read.flatMap(withoutMarks).filter((rest) => !fixtures.isData(rest));
}
function withoutMarks(text: string): string[] {
  const rest = text.replace(/⟦[^⟦⟧]*⟧/g, "\n");
  if (rest !== text) return withoutMarks(rest);
  return rest
    .split(/\n| {2,}/)
    .filter((part) => /\p{Letter}/u.test(part))
    .map((part) => part.trim());
}

describe("no view has a text of its own", () => {
  test.each(Object.entries(everyState))("%s", (_, snapshot) => {
    expect(unmarked(snapshot)).toEqual([]);
  });

  test("and this test would find one", () => {
    const spec = { ...fixtures.spec, purpose: "A text from nowhere" };
    const watcher = { ...fixtures.watcher, run: { ...fixtures.run, spec } };
    expect(unmarked(fixtures.page({ watcher }))).toEqual(["A text from nowhere"]);
  });
});

test("a problem is told in the page's language, whatever the worker speaks", () => {
  const donor = {
    ...fixtures.donating,
    status: "blocked",
    problem: problems.deviceLost("the driver went away"),
  } as const;
  const markup = renderToString(<Page page={fixtures.page({ donor, words: de })} actions={fixtures.actions} />);
  expect(markup).toContain("Was hier trainiert, ist zweimal verschwunden (the driver went away).");
  expect(problems.deviceLost("x").message).toBe("What trains here went away twice (x).");
});

test("reasons that the software gives are in the page's language; others as the host told them", () => {
  const left = (reason: string) => ({ ...fixtures.run.churn[0], kind: "left", reason }) as const;
  const churn = [left(reasonByCode["page-closed"]), left("moving house")];
  const endReason = goalReason({ of: "tokens", count: 200_000_000 });
  const run = { ...fixtures.endedRun, churn, endReason };
  const watcher = { ...fixtures.watcher, run: { ...fixtures.run, ...run } };
  const markup = renderToString(<Page page={fixtures.page({ watcher, words: de })} actions={fixtures.actions} />);
  expect(markup).toContain("die Seite wurde geschlossen oder neu geladen");
  expect(markup).toContain('lang="en">moving house');
  expect(markup).toContain("Sein Ziel ist erreicht: 200 Millionen Token.");
  expect(markup).not.toContain("are committed");
});

test("German has its own numbers and plurals", () => {
  expect(de.about.soFarText(1, 5_373_952)).toBe("1 Runde, 5,37 Millionen Token");
  expect(de.format.loss(1.5)).toBe("1,500");
  expect(taskLine(de, { what: "data", done: 4_200_000, total: 19_200_000 })).toBe(
    "Trainingstext wird geholt: 4,2 MB von 19,2 MB",
  );
});

test.each([
  ["de", ["en"], "de"],
  [null, ["de-AT", "en"], "de"],
  [null, ["fr", "de"], "de"],
  [null, ["fr"], "en"],
  ["fr", ["de"], "de"],
  ["constructor", [], "en"],
] as const)("remembered %s, wanted %j: %s", (remembered, wanted, language) => {
  expect(languageFor(remembered, wanted)).toBe(language);
});
