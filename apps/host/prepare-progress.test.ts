import { expect, test } from "vitest";
import { PrepareProgress } from "./prepare-progress.ts";

test("progress is told every five seconds, with what is left at this speed", () => {
  const lines: string[] = [];
  let now = 0;
  const progress = new PrepareProgress(
    (line) => lines.push(line),
    () => now,
  );
  progress.begin("preparing", 100e6);
  for (now = 1000; now <= 10_000; now += 1000) {
    progress.read(2e6);
    progress.wrote(500_000);
  }
  expect(lines).toEqual([
    "preparing: 10 MB of 100 MB, 2,000,000 tokens, 2 MB a second, about 45 s left",
    "preparing: 20 MB of 100 MB, 4,500,000 tokens, 2 MB a second, about 40 s left",
  ]);
  progress.end("all is done");
  progress.fetched("https://a/b.txt", 5e6, 10e6); // too soon
  now += 6000;
  progress.fetched("https://a/b.txt", 6e6, 10e6);
  expect(lines.slice(2)).toEqual(["all is done (11 s)", "fetching https://a/b.txt: 6 MB of 10 MB"]);
});
