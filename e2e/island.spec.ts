// Several tabs as one peer: the model is cut among them, and the swarm trains with them as with anybody.
import { expect, type Page, test } from "@playwright/test";
import { countOfAttesters, type LogEntry, offersIn, presets, type RunDetail } from "../packages/wire/index.ts";
import { close, endIslands, islandText, nano, tabsOfOneBrowser } from "./islands.ts";
import { STEADY_DUTY, specLike, startHost, untilRun } from "./support.ts";

const openTab = tabsOfOneBrowser();

const commits = (log: readonly LogEntry[]) => log.filter((entry) => entry.type === "commit");

/** The mean loss of the first round's steps, trained in so many tabs; all of them form one island. */
async function firstLoss(run: string, tabs: number, address: string, kind = "tensor"): Promise<number> {
  const host = await startHost({ run });
  const pages = await Promise.all(Array.from({ length: tabs }, () => openTab(host, address)));
  try {
    const { islands } = await untilRun(host, `a round of ${tabs} tabs`, ({ round }) => round >= 1);
    expect(islands?.map(({ members, plan }) => [members.length, plan.kind])).toEqual(tabs === 1 ? [] : [[tabs, kind]]);
    return offersIn(commits(await host.log())[0])[0].loss;
  } finally {
    await Promise.all(pages.map(close));
    await host.stop();
    host.remove();
  }
}

test("nano over two and over four tabs, and in two stages: the first steps' loss is one tab's, to rounding where sums are exact and within 1 % in int8", async () => {
  const spec = nano();
  try {
    // At once: each leaves when it has its round, and much of the time they wait for each other.
    const [alone, two, stages, four] = await Promise.all([
      firstLoss(spec.file, 1, "/?backend=webgpu"),
      firstLoss(spec.file, 2, "/?island=2&plan=exact"),
      firstLoss(spec.file, 2, "/?island=2&plan=pipeline"),
      firstLoss(spec.file, 4, "/?island=4"),
    ]);
    console.info(
      `loss of the first three steps: alone ${alone}, two tabs in f32 ${two}, four in int8 ${four}, a layer each of two ${stages}`,
    );
    expect(Math.abs(two / alone - 1)).toBeLessThan(1e-5);
    expect(Math.abs(four / alone - 1)).toBeLessThan(0.01);
    expect(Math.abs(stages / alone - 1)).toBeLessThan(0.01);
  } finally {
    spec.remove();
  }
});

test("a context four times as long as one tab holds, shared by four: the first steps' loss is that of one tab without a limit", async () => {
  const spec = specLike(({ inner, evaluation }) => ({
    model: { ...presets.nano.model, heads: 8, kvHeads: 2, contextLength: 256 },
    inner: { ...inner, steps: 2, windowsPerStep: 1 },
    evaluation: { ...evaluation, everyRounds: 100 },
  }));
  try {
    const [alone, four] = await Promise.all([
      firstLoss(spec.file, 1, "/?backend=webgpu"),
      firstLoss(spec.file, 4, "/?memory=1.83", "sequence"), // 64 positions alone: packages/engine/island/planner.test.ts
    ]);
    console.info(`loss of the first two steps over 256 positions: alone ${alone}, four tabs ${four}`);
    expect(Math.abs(four / alone - 1)).toBeLessThan(1e-5);
  } finally {
    spec.remove();
  }
});

test("a model that fits none of two tabs trains in both, beside an ordinary one; one is closed, and the other waits while rounds go on", async () => {
  const spec = nano();
  const host = await startHost({ run: spec.file });
  const small = "/?memory=1.6"; // nano takes 1.80 MiB alone, with everything recomputed and its moments on disk; 1.51 in two parts, whose moments are there, too; stages take more
  const tabs: Page[] = [];
  const open = async (address: string) => {
    tabs.push(await openTab(host, address));
    return tabs[tabs.length - 1];
  };
  const joint = ({ islands, peers }: RunDetail, rounds: number) =>
    islands?.length === 1 && peers.filter((peer) => peer.state !== "left" && peer.rounds >= rounds).length >= 2;
  try {
    const ordinary = await open("/?backend=webgpu");
    await ordinary.evaluate((duty) => window.__gossamer?.setDuty(duty), STEADY_DUTY);
    const first = await open(small);
    await expect(islandText(first)).toContainText(
      /The model does not fit this tab alone\. It needs 1\.8 MiB .* its moments elsewhere, and may use 1\.6 MiB\./,
    );
    await expect(islandText(first)).toContainText("Waiting for 1 more machine: it takes 2 for this model.");
    await untilRun(host, "the ordinary one trains meanwhile", ({ round }) => round >= 1);

    const second = await open(small);
    const { islands } = await untilRun(host, "two rounds of the island beside the other", (run) => joint(run, 2));
    const [{ leader, members, stepMs }] = islands ?? [];
    expect(stepMs).toBeGreaterThan(0); // both said how fast they compute
    const log = await host.log();
    const named = log.findIndex((entry) => entry.type === "open" && entry.islands?.[0].leader === leader);
    expect((log[named] as LogEntry & { type: "open" }).islands).toEqual([{ leader, members }]);
    const both = commits(log).filter((commit) => offersIn(commit).some(({ peer }) => peer === leader));
    expect(both.some(({ contributors }) => contributors.length === 2)).toBe(true);

    const leads = async (page: Page) => (await islandText(page).textContent())?.includes("leads an island of 2");
    const [leading, member] = (await leads(first)) ? [first, second] : [second, first];
    await expect(islandText(leading)).toContainText(
      /leads an island of 2, with .*It holds head 1 of 2 and [\d.]+% of each/,
    );
    await expect(islandText(member)).toContainText(
      /Part of an island of 2, led by .*It holds head 2 of 2 and [\d.]+% of each/,
    );

    const before = await host.run();
    await close(member); // in the middle of whatever it does
    await expect(islandText(leading)).toContainText("The island before fell apart.");
    await expect(islandText(leading)).toContainText("Waiting for 1 more machine");
    await untilRun(host, "the ordinary one's rounds go on", ({ round }) => round >= before.round + 2);
    const whole = await host.log();
    const seals = whole.filter((entry) => entry.type === "seal");
    expect(seals.flatMap(({ refused }) => refused)).toEqual([]);
    expect(seals.filter(({ attesters }) => countOfAttesters(attesters) >= 2).length).toBeGreaterThanOrEqual(2);
    await expect(ordinary.getByText("Desyncs repaired")).toHaveCount(0);
  } finally {
    await endIslands(host, tabs, spec);
  }
});
