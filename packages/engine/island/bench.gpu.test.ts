import { expect, test } from "vitest";
import { presets } from "#wire";
import { sharedAdapter } from "../device/testing.ts";
import { measureIsland } from "./bench.ts";

const adapter = await sharedAdapter();
const line = { latencyMs: 1, bytesPerSecond: 300e6 / 8 };
const given = { ranks: 2, exchange: "int8", form: "direct", lines: [line], rounds: 2, adapter } as const;

test("on a line of 1 ms and 300 Mbit/s two microbatches in turns hide at least half of the exchange; one at a time hides none", async () => {
  const { lines, exchanges, bytesEach } = await measureIsland({ ...given, model: presets.nano.model, microbatch: 4 });
  expect(exchanges).toBe(4 * 2);
  expect(bytesEach).toBe(4 * 64 * 64 * (1 + 4 / 64));
  const [{ oneByOne, inTurns }] = lines;
  expect(oneByOne.hiddenPart).toBe(0);
  expect(inTurns.hiddenPart).toBeGreaterThan(0.5);
  expect(oneByOne.exchangeMs).toBeGreaterThan(2 * exchanges * (1 + (1000 * bytesEach) / line.bytesPerSecond));
});

test("with a ladder residual one at a time hides some too: what is computed meanwhile is the next block", async () => {
  const model = { ...presets.nano.model, residual: "ladder" } as const;
  const { lines, exchanges } = await measureIsland({ ...given, model, microbatch: 4 });
  expect(exchanges).toBe(4 * 2);
  expect(lines[0].oneByOne.hiddenPart).toBeGreaterThan(0.1); // six of eight can be: 0.77 and 0.37, two cores at a load of 8
});
