// @vitest-environment node
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Row } from "#sim";
import { type CompareOptions, type CompareReport, compareCommand, quickDraft } from "./compare-command.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gossamer-compare-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

const options = (): CompareOptions => ({
  methods: ["diloco"],
  variants: ["sparse=sparseloco outer.learningRate=0.9"],
  run: { ...quickDraft, evaluation: { everyRounds: 1, windows: 16 } },
  from: folder,
  peers: 2,
  tokens: 40_960,
  link: "20mbit/40ms",
  stepMs: 100,
  spread: 0,
  churn: 0.1,
  seeds: 2,
  firstSeed: 1,
  rates: [0.5, 1],
  points: 2,
  keep: "kept.jsonl",
  html: "page.html",
  json: false,
});

test("two methods learn, the table and the page say how, and what was trained is not trained again", async () => {
  const [out, said]: [string[], string[]] = [[], []];
  const rows = await compareCommand(
    options(),
    (line) => out.push(line),
    (line) => said.push(line),
  );
  expect(rows.map(({ method }) => method)).toEqual(["diloco", "sparse"]);
  for (const { runs, loss, gap } of rows) {
    expect(runs).toHaveLength(2);
    for (const { points, checks } of runs) {
      expect(points.at(-1)!.tokens).toBeGreaterThanOrEqual(40_960);
      expect(checks).toBeGreaterThan(0);
    }
    expect(loss.mean).toBeLessThan(5); // ln 256 = 5.55 before training
    expect(loss.margin).toBeGreaterThan(0);
    expect(gap).toBeUndefined(); // nobody asked for DDP
  }
  const [diloco, sparse] = rows;
  expect(sparse.bytes).toBeLessThan(diloco.bytes / 10);
  expect(out.join("\n")).toContain("DiLoCo");
  expect(said).toHaveLength(6); // two rates on the first seed, the better one on the second

  const page = await readFile(join(folder, "page.html"), "utf8");
  expect(page).toContain('<th scope="row">sparse</th>');
  expect(page).not.toMatch(/(src|href)="?http/);

  const kept = await readFile(join(folder, "kept.jsonl"), "utf8");
  expect(kept.trim().split("\n")).toHaveLength(6);
  await writeFile(join(folder, "kept.jsonl"), `${kept}{"version": 1, "key": "cut o`);
  const json: string[] = [];
  const again = await compareCommand(
    { ...options(), json: true },
    (line) => json.push(line),
    () => {},
  );
  expect(again).toEqual(rows);
  expect((JSON.parse(json.join("")) as CompareReport).rows as Row[]).toEqual(JSON.parse(JSON.stringify(rows)));
  expect((await readFile(join(folder, "kept.jsonl"), "utf8")).trim().split("\n")).toHaveLength(7);
});

test.each([
  [{ methods: ["dilco"] }, /There is no method "dilco"; there are .*diloco/],
  [{ variants: ["diloco"] }, /"diloco" is no variant; for example/],
  [{ variants: ["a=diloco outer.speed=3"] }, /outer.speed=3: the spec has no field "outer.speed"/],
  [{ variants: ["a=diloco outer.momentum=3"] }, /with a is no valid run:\nouter.momentum/],
  [{ link: "fast" }, /"fast" is no line/],
  [{ run: "no-such-run" }, /neither a preset .* nor a file/],
])("what cannot be compared is refused before anything is trained: %j", async (wrong, message) => {
  await expect(
    compareCommand(
      { ...options(), ...wrong },
      () => {},
      () => {},
    ),
  ).rejects.toThrow(message);
});
