import { expect, test } from "vitest";
import type { LogEntry } from "#wire";
import { Counter, family, Histogram } from "./instruments.ts";
import { Measures } from "./measures.ts";
import type { RunListener } from "./run.ts";

test("a histogram counts what is at or below each bound, as Prometheus has it", () => {
  const seconds = new Histogram([1, 5]);
  for (const value of [0.5, 1, 3, 9]) seconds.observe(value, { run: "a" });
  expect(family("x_seconds", "histogram", "Time.", seconds.samples())).toBe(
    [
      "# HELP x_seconds Time.",
      "# TYPE x_seconds histogram",
      'x_seconds_bucket{run="a",le="1"} 2',
      'x_seconds_bucket{run="a",le="5"} 3',
      'x_seconds_bucket{run="a",le="+Inf"} 4',
      'x_seconds_sum{run="a"} 13.5',
      'x_seconds_count{run="a"} 4',
      "",
    ].join("\n"),
  );
});

test("sets of labels are bounded", () => {
  const counter = new Counter();
  for (let i = 0; i < 1_000; i++) counter.add({ reason: String(i) });
  expect(counter.samples()).toHaveLength(256);
});

test("a run is followed until it is served no more", () => {
  const measures = new Measures();
  let listener: RunListener | undefined;
  const run = {
    id: "ab",
    subscribe(given: RunListener) {
      listener = given;
      return () => {
        listener = undefined;
      };
    },
  };
  measures.follow(run);
  const entry = (body: object) => listener?.entry?.(body as LogEntry);
  entry({ type: "open", time: 1_000 });
  entry({ type: "commit", contributors: [{}, {}] });
  entry({ type: "seal", time: 8_000, refused: [{}] });
  listener?.offerRefused?.("an update of 123 bytes is not abcdef0123456789");
  listener?.uploaded?.(500, 20);
  expect(measures.roundSeconds.samples().at(-2)).toEqual([{ run: "ab" }, 7, "_sum"]);
  expect(measures.contributions.samples()).toEqual([[{ run: "ab" }, 2]]);
  expect(measures.offersRefused.samples()).toEqual([[{ run: "ab", reason: "an-update-of-bytes-is-not" }, 1]]);
  measures.unfollow(run);
  expect(listener).toBeUndefined();
});
