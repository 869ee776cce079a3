// @vitest-environment node
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { headlineCommand, headlines } from "./headlines.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "gossamer-headline-test-"));
});
afterAll(() => rm(root, { recursive: true }));

describe("headlines", () => {
  test.each(headlines)(
    "$name: its short form trains all that the claim is about",
    async ({ name, claim, methods, variants = [] }) => {
      const lines: string[] = [];
      const said: string[] = [];
      await headlineCommand(
        { name, root, short: true },
        (line) => lines.push(line),
        (line) => said.push(line),
      );
      expect(lines[0]).toBe(`${name}: ${claim}`);
      expect(said.map((line) => line.split(" ")[0])).toEqual([
        ...methods,
        ...variants.map((variant) => variant.split("=")[0]),
      ]);
      expect(said.every((line) => /loss \d/.test(line))).toBe(true);
      expect(await readdir(root)).toEqual([".cache"]); // nothing is claimed from a short run
    },
  );
});
