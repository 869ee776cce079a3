// @vitest-environment node
// The newcomer's example of docs/RESEARCH.md, as a newcomer would try it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { type Method, withMethod } from "#outer";
import { draftSchema, presets } from "#wire";
import { arithmeticCourse, arithmeticTrainers, setting } from "../../../packages/sim/compare/test-given.ts";
import { train } from "../../../packages/sim/compare/train.ts";

const text = readFileSync(join(import.meta.dirname, "..", "..", "..", "docs", "RESEARCH.md"), "utf8");
const example = /```ts\n(.*?)```/s.exec(text)![1];

test("docs/RESEARCH.md: the example is a method, and trains", async () => {
  const { outputText } = ts.transpileModule(example, { compilerOptions: { module: ts.ModuleKind.ESNext } });
  const url = `data:text/javascript,${encodeURIComponent(outputText)}`;
  const { fourBitMean } = (await import(/* @vite-ignore */ url)) as { fourBitMean: Method };
  expect(draftSchema.safeParse(withMethod(presets.nano, fourBitMean)).success).toBe(true);
  const { points, checks } = await train(arithmeticCourse(fourBitMean), setting, arithmeticTrainers(4));
  expect(points.at(-1)!.loss).toBeLessThan(-50); // what was trained is 81 off the mean; 4 bits, and what they left out comes later
  expect(checks).toBeGreaterThan(0);
});
