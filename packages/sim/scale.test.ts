import { expect, test } from "vitest";
import { kindLines, scale, scaleLines, scalePlot } from "./scale.ts";

test("[R25] [R26] [R27] what a peer sends and receives in a round stays within twice that of ten peers, and its updates stay bounded", () => {
  const rows = [10, 40].map((peers) => scale(peers, { rounds: 2 }));
  const [few, many] = rows.map(({ controlSent, controlReceived }) => controlSent + controlReceived) as [number, number];
  expect(many / few).toBeLessThan(2);
  expect(rows[1].offers).toBeGreaterThan(30); // groups did their work
  for (const { updatesMost } of rows) expect(updatesMost).toBeLessThanOrEqual(2 * 8 - 1 + 3); // own share, group and commit; some bytes twice when two sources race
  expect(scaleLines(rows)).toHaveLength(4);
  expect(kindLines(rows).join("\n")).toMatch(/\| want \|[\s\S]*\| reduce \|/);
  expect(scalePlot(rows)).toContain("40 peers");
});
