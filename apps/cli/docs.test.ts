// Documents name files, rules and commands: each must be there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { methods } from "#outer";
import manifest from "../../package.json" with { type: "json" };
import { specReference } from "./spec-reference.ts";

const root = join(import.meta.dirname, "..", "..");
const filesBelow = (folder: string, ending: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(root, folder, name))
    .filter((path) => ending.test(path));
const sources = [...["apps", "packages", "e2e"].flatMap((folder) => filesBelow(folder, /\.(ts|tsx|mjs|md)$/))];
const documents = [
  ...readdirSync(root)
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(root, name)),
  ...filesBelow("docs", /\.md$/),
  ...sources.filter((path) => path.endsWith(".md")),
];
const read = (path: string): string => readFileSync(path, "utf8");

/** GitHub's anchors: lower case, punctuation dropped, spaces to hyphens. */
const anchorsOf = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, "")
      .replaceAll(" ", "-"),
  );

test.each(documents.map((path) => [relative(root, path), path]))(
  "%s: every relative link leads somewhere",
  (_, path) => {
    const broken = [...read(path).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target)
      .filter((target) => {
        if (/^[a-z]+:/.test(target)) return false; // another site
        const [file, anchor] = target.split("#");
        const there = file === "" ? path : join(dirname(path), file);
        return !existsSync(there) || (anchor !== undefined && !anchorsOf(read(there)).includes(anchor));
      });
    expect(broken).toEqual([]);
  },
);

test.each(documents.map((path) => [relative(root, path), path]))(
  "%s: every npm script that it names is there",
  (_, path) => {
    const named = [...read(path).matchAll(/npm (?:run (?:--?[a-z]+ )?([a-z][a-z0-9:-]*)|(start|test)\b)/g)].map(
      ([, run, own]) => run ?? own,
    );
    expect(named.filter((name) => !Object.hasOwn(manifest.scripts, name))).toEqual([]);
  },
);

test("CONTRIBUTING.md tells of every script", () => {
  const text = `${read(join(root, "CONTRIBUTING.md"))} ${read(join(root, "README.md"))}`;
  const untold = Object.keys(manifest.scripts).filter((name) => !new RegExp(`npm (run )?${name}\\b`).test(text));
  expect(untold).toEqual([]);
});

test("every rule of the protocol has a test that cites it, and no test cites another", () => {
  const rules = new Set(
    [...read(join(root, "docs", "PROTOCOL.md")).matchAll(/\*\*\[(R\d+)\]/g)].map(([, rule]) => rule),
  );
  const cited = new Set(
    sources
      .filter((path) => /\.(test|spec)\./.test(path))
      .flatMap((path) => [...read(path).matchAll(/\[(R\d+)\]/g)].map(([, rule]) => rule)),
  );
  expect([...rules].filter((rule) => !cited.has(rule))).toEqual([]);
  expect([...cited].filter((rule) => !rules.has(rule))).toEqual([]);
});

test("RESEARCH.md holds the spec's reference as the schema has it", () => {
  const [, table] = /<!-- reference -->\n(.*?)<!-- end of reference -->/s.exec(
    read(join(root, "docs", "RESEARCH.md")),
  )!;
  expect(table.trim().split("\n")).toEqual(specReference());
});

test("METHODS.md tells of every method", () => {
  const text = read(join(root, "docs", "METHODS.md"));
  expect(methods.map(({ name }) => name).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});
