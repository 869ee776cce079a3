import { expect, test } from "vitest";
import { reportAs } from "./report.ts";

test("lines are text as they are, or an object each, on one line whatever is in them", () => {
  const written: string[] = [];
  reportAs("text", (line) => written.push(line))("all is well");
  const json = reportAs(
    "json",
    (line) => written.push(line),
    () => 0,
  );
  json("two\nlines");
  json("the disk is full", "warn");
  expect(written[0]).toBe("all is well");
  expect(written.slice(1).map((line) => [line.includes("\n"), JSON.parse(line)])).toEqual([
    [false, { time: "1970-01-01T00:00:00.000Z", level: "info", message: "two\nlines" }],
    [false, { time: "1970-01-01T00:00:00.000Z", level: "warn", message: "the disk is full" }],
  ]);
});
