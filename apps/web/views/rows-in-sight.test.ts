import { expect, test } from "vitest";
import { rowsInSight } from "./rows-in-sight.ts";

test.each([
  [0, 640, 1000, { first: 0, last: 19 }],
  [510, 640, 1000, { first: 4, last: 29 }],
  [1_000_000, 640, 1000, { first: 1000, last: 1000 }], // the list became shorter than where the box stands
  [0, 640, 0, { first: 0, last: 0 }],
  [0, 0, 3, { first: 0, last: 3 }],
])("scrolled to %i px in a box of %i px, of %i rows: %j", (topPx, heightPx, count, rows) => {
  expect(rowsInSight(topPx, heightPx, 51, 6, count)).toEqual(rows);
});
