import { expect, test } from "vitest";
import { software } from "../views/fixtures.ts";
import type { MachineCheck } from "../window/types.ts";
import { BlockedError } from "./gpu.ts";
import { checkMachine } from "./machine-check.ts";
import { problems } from "./problems.ts";

async function steps(find: () => Promise<typeof software>, engine: () => Promise<void>): Promise<string[]> {
  const told: MachineCheck[] = [];
  await checkMachine({ findAdapter: find, tryEngine: engine, tell: (check) => told.push(check) });
  return told.map(({ adapter, memory, results, problem }) => [adapter, memory, results, problem?.code ?? ""].join(" "));
}
const found = async () => software;
const blocked = (problem: ReturnType<typeof problems.noSlot>) => () => Promise.reject(new BlockedError(problem));

test("each step is told as it goes", async () => {
  expect(await steps(found, async () => {})).toEqual([
    "working waiting waiting ",
    "passed working waiting ",
    "passed passed passed ",
  ]);
});

test.each([
  ["no adapter", blocked(problems.noAdapter("other")), async () => {}, "failed waiting waiting no-adapter"],
  ["too little memory", found, blocked(problems.outOfMemory("x")), "passed failed waiting out-of-memory"],
  [
    "wrong results",
    found,
    blocked({ ...problems.noSlot(), code: "wrong-results" }),
    "passed passed failed wrong-results",
  ],
  ["a bug of ours", found, () => Promise.reject(new Error("x")), "passed failed waiting worker-failed"],
] as const)("%s: the step that failed, and why", async (_, find, engine, last) => {
  expect((await steps(find, engine)).at(-1)).toBe(last);
});
