import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

/** A task that ends when told to. */
function held(log: string[], name: string) {
  let end: (value: string) => void = () => undefined;
  const done = new Promise<string>((resolve) => {
    end = resolve;
  });
  const task = (): Promise<string> => {
    log.push(name);
    return done;
  };
  return { task, end: () => end(name) };
}

test("the first two start at once, the third when one ends, in the order of calls", async () => {
  const log: string[] = [];
  const turns = new Turns(2);
  const tasks = ["a", "b", "c", "d"].map((name) => held(log, name));
  const results = tasks.map(({ task }) => turns.take(task));
  expect(log).toEqual(["a", "b"]);
  tasks[1].end();
  expect(await results[1]).toBe("b");
  expect(log).toEqual(["a", "b", "c"]);
  for (const { end } of tasks) end();
  expect(await Promise.all(results)).toEqual(["a", "b", "c", "d"]);
});

test("who needs all slots waits for quiet, and later calls wait behind", async () => {
  const log: string[] = [];
  const turns = new Turns(2);
  const [first, alone, later] = ["first", "alone", "later"].map((name) => held(log, name));
  const results = [turns.take(first.task), turns.takeAll(alone.task), turns.take(later.task)];
  expect(log).toEqual(["first"]);
  first.end();
  await results[0];
  expect(log).toEqual(["first", "alone"]);
  alone.end();
  await results[1];
  expect(log).toEqual(["first", "alone", "later"]);
  later.end();
  await results[2];
});

test("a failed task frees its slot", async () => {
  const turns = new Turns(1);
  await expect(turns.take(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await turns.take(async () => 1)).toBe(1);
});
