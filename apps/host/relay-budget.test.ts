import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RelayBudget } from "./relay-budget.ts";
import { freshFolder } from "./test-given.ts";

async function given(capBytes: number | null, folder?: string) {
  const data = folder ?? (await freshFolder());
  const lines: string[] = [];
  const clock = { now: Date.UTC(2026, 10, 20) };
  const open = () => RelayBudget.open({ data, capBytes, now: () => clock.now, report: (line) => lines.push(line) });
  return { data, lines, clock, open, budget: await open() };
}

test("relay and TURN of all runs count together; at the cap it is enough, and the operator is told until when", async () => {
  const { budget, lines } = await given(1_000);
  budget.sample(400, new Map([["a", 300]]));
  expect(budget.state).toMatchObject({ relayBytes: 400, turnBytes: 300, over: false, month: "2026-11" });
  budget.sample(
    500,
    new Map([
      ["a", 300],
      ["b", 200],
    ]),
  );
  expect(budget.state).toMatchObject({ relayBytes: 500, turnBytes: 500, over: true });
  budget.sample(500, new Map());
  expect(lines).toEqual([expect.stringContaining("until 2026-12-01")]);
});

test("what was counted survives a restart, whose own meters begin at zero", async () => {
  const { budget, open, lines } = await given(1_000);
  budget.sample(900, new Map());
  await budget.close();
  const again = await open();
  again.sample(50, new Map([["a", 40]]));
  expect(again.state).toMatchObject({ relayBytes: 950, turnBytes: 40, over: false });
  again.sample(60, new Map([["a", 40]]));
  expect(again.state.over).toBe(true);
  await again.close();
  await open();
  expect(lines).toHaveLength(2); // told when it was enough, and at the next start
});

test("a new month begins at zero, and a run that is gone takes nothing away", async () => {
  const { budget, clock, lines } = await given(1_000);
  budget.sample(2_000, new Map([["a", 500]]));
  budget.sample(2_000, new Map());
  expect(budget.state).toMatchObject({ relayBytes: 2_000, turnBytes: 500 });
  clock.now = Date.UTC(2026, 11, 1);
  budget.sample(2_100, new Map([["a", 500]]));
  expect(budget.state).toMatchObject({ relayBytes: 100, turnBytes: 0, over: false, month: "2026-12" });
  expect(lines.at(-1)).toContain("handed out again");
});

test("without a cap it only counts; a file that is none is refused by name", async () => {
  const { budget, data, open } = await given(null);
  budget.sample(1e15, new Map());
  expect(budget.state.over).toBe(false);
  await budget.close();
  await writeFile(join(data, "relayed.json"), "{}");
  await expect(open()).rejects.toThrow("relayed.json cannot be read");
});
