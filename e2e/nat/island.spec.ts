// An island that spans two homes: three tabs hold a model's layers in stages, over a line of 20 Mbit/s and 40 ms, and learn what one tab learns.
import { expect, test } from "@playwright/test";
import { isGroup, type LogEntry, presets } from "../../packages/wire/index.ts";
import { openDonor, specLike, startHost, type TestDonor } from "../support.ts";
import { Lab, PUBLIC_ADDRESS, shapedLine } from "./lab.ts";
import { logOf, runOf, volunteerIn } from "./volunteer.ts";

/** Nano with layers for three stages; a round of ten steps, each of eight sequences that follow each other through the stages. */
const sixLayers = () =>
  specLike(({ inner, evaluation }) => ({
    model: { ...presets.nano.model, layers: 6 },
    inner: { ...inner, steps: 10, windowsPerStep: 8 },
    evaluation: { ...evaluation, everyRounds: 100 },
  }));

/** Mean training losses of the first rounds, as the offers say them. */
function lossesIn(log: readonly LogEntry[]): number[] {
  return log.flatMap((entry) =>
    entry.type === "commit" ? entry.contributors.map((each) => (isGroup(each) ? Number.NaN : each.loss)) : [],
  );
}

async function untilRounds(donor: TestDonor, rounds: number): Promise<number[]> {
  await expect
    .poll(async () => (await runOf(donor.page)).round, { timeout: 180_000, intervals: [500] })
    .toBeGreaterThanOrEqual(rounds);
  return lossesIn(await logOf(donor.page, 0)).slice(0, rounds);
}

test("three tabs in two homes are a pipeline's stages, and learn within 2 % of one tab", async () => {
  test.setTimeout(10 * 60_000);
  const spec = sixLayers();
  const single = await startHost({ run: spec.file });
  const alone = await openDonor(single.url, { path: "/?backend=webgpu" });
  const expected = await untilRounds(alone, 3).finally(async () => {
    await alone.close();
    await single.stop();
    single.remove();
  });

  const lab = await Lab.open({ A: { nat: "cone", line: shapedLine(0) }, B: { nat: "cone" } });
  const host = await startHost({ run: spec.file, enter: lab.enter("pub"), args: ["--share"] });
  const donors: TestDonor[] = [];
  try {
    const url = `https://${PUBLIC_ADDRESS}:${new URL(host.url).port}`;
    for (const home of ["A", "A", "B"] as const) donors.push(await volunteerIn(lab, home, url, { path: "/?island=3" }));
    const losses = await untilRounds(donors[0], 3);
    const { islands } = await runOf(donors[0].page);
    console.log(
      `losses of three rounds: alone ${expected.join(", ")}; ${JSON.stringify(islands?.[0].plan)} ${losses.join(", ")}`,
    );
    const [{ plan, members, stepMs }] = islands ?? [];
    expect([plan, members.length]).toMatchObject([{ kind: "pipeline", exchange: "int8" }, 3]);
    expect(plan.kind === "pipeline" && plan.layers.reduce((sum, layers) => sum + layers, 0)).toBe(6);
    expect(stepMs).toBeGreaterThan(0); // as predicted from what the three said of their speed, alike or not
    for (const [round, loss] of losses.entries())
      expect(Math.abs(loss / expected[round] - 1), `round ${round}`).toBeLessThan(0.02);
    const { betweenHomes, toTurn } = lab.wayBytes();
    expect(betweenHomes).toBeGreaterThan(toTurn); // directly, through both routers
  } finally {
    await Promise.all(donors.map((donor) => donor.close()));
    await host.stop();
    host.remove();
    await lab.close();
    spec.remove();
  }
});
