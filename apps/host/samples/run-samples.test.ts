// Samples of a run's prompts: a row for each checkpoint, the same texts as the generator's, after a restart too; bounded; nobody's run depends on them.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type EntryOf, presets, type RunSpec, SAMPLES_MAX, type Samples } from "#wire";
import { generate } from "../../cli/generate.ts";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "../test-given.ts";
import { type MakeSamplePort, RunSamples, type SamplePort } from "./run-samples.ts";
import { writeSamples } from "./write-samples.ts";

const prompts = ["It was ", "a dark"];
const sampled = () => tinyDraft({ version: 5, evaluation: { ...presets.nano.evaluation, prompts, sampleTokens: 12 } });

const samples: MakeSamplePort = (spec, _, blobs) => ({
  write: (checkpoint) => writeSamples(spec, blobs, checkpoint),
  close: async () => {},
});

/** Once so many rows are told. */
async function samplesAt(url: string, rounds: number): Promise<Samples> {
  const ask = async () => (await (await fetch(`${url}/api/runs/default/samples`)).json()) as Samples;
  await expect.poll(async () => (await ask()).samples.length, { timeout: 10_000 }).toBe(rounds);
  return ask();
}

test("a host writes at each checkpoint what the model makes of each prompt, and keeps it", async () => {
  const data = await freshFolder();
  const run = await writeRun(data, sampled());
  const host = await startTestHost({ data, run, samples });
  const volunteer = await TestVolunteer.join(host.url, 1);
  let anchor = host.run.started.genesisHash;
  for (const round of [0, 1]) {
    anchor = (await volunteer.playRound(round, anchor)).anchorHash;
    await volunteer.entry("checkpoint");
    await samplesAt(host.url, round + 1);
  }
  volunteer.socket.close();
  const told = await samplesAt(host.url, 2);
  expect(told.prompts).toEqual(prompts);
  expect(told.samples.map(({ round }) => round)).toEqual([1, 2]);
  expect(told.samples[1].anchorHash).toBe(anchor);
  const sampling = { temperature: 0.7, topK: 0, topP: 0.9, seed: tinyDraft().seed };
  const given = { data, tokens: 12, json: true, ...sampling };
  for (const [i, prompt] of prompts.entries())
    for (const { round, texts } of told.samples)
      expect(
        (
          await generate(
            { ...given, prompt, round },
            () => {},
            () => {},
          )
        ).text,
      ).toBe(texts[i]);
  await host.close();

  const again = await startTestHost({ data, run, samples });
  expect(await samplesAt(again.url, 2)).toEqual(told);
  await again.close();
});

test("a run without prompts has none, and no file", async () => {
  const data = await freshFolder();
  const host = await startTestHost({ data, run: await writeRun(data) });
  expect(await samplesAt(host.url, 0)).toEqual({ prompts: [], samples: [] });
  await host.close();
  await expect(readFile(join(data, "runs", host.run.id, "samples.json"))).rejects.toThrow("ENOENT");
});

describe("the rows", () => {
  const spec = { evaluation: { prompts: ["a"] } } as unknown as RunSpec;
  const checkpoint = (round: number) =>
    ({ type: "checkpoint", round, anchorHash: "a".repeat(64), blobs: [] }) as unknown as EntryOf<"checkpoint">;

  async function openWith(port: Partial<SamplePort>, folder?: string) {
    const lines: string[] = [];
    const samples = await RunSamples.open({
      folder: folder ?? (await freshFolder()),
      spec,
      port: { write: async ({ round }) => [`after ${round}`], close: async () => {}, ...port },
      report: (line) => lines.push(line),
    });
    if (samples === undefined) throw new Error("a spec with prompts");
    return { samples, lines };
  }

  test("while one is written the newest waits, and those between are left out", async () => {
    const release: (() => void)[] = [];
    const { samples } = await openWith({
      write: ({ round }) => new Promise((resolve) => release.push(() => resolve([`after ${round}`]))),
    });
    samples.follow([checkpoint(1)]);
    for (const round of [2, 3, 4]) samples.follow([checkpoint(round)]);
    expect(release).toHaveLength(1);
    release[0]();
    while (release.length < 2) await new Promise(setImmediate);
    release[1]();
    await samples.settled();
    expect(samples.rows.map(({ round }) => round)).toEqual([1, 4]);
  });

  test("a long run keeps a bounded number, the first steps coarser than the last, the newest always", async () => {
    const { samples } = await openWith({});
    for (let round = 1; round <= 3 * SAMPLES_MAX; round++) {
      samples.follow([checkpoint(round)]);
      await samples.settled();
      expect(samples.rows.length).toBeLessThanOrEqual(SAMPLES_MAX);
      expect(samples.rows.at(-1)?.round).toBe(round);
    }
    expect(samples.rows[0].round).toBeLessThan(10);
  });

  test("one that cannot be written is told, and the next is tried", async () => {
    const { samples, lines } = await openWith({
      write: async ({ round }) => {
        if (round === 1) throw new Error("the checkpoint of round 1 is not stored");
        return ["text"];
      },
    });
    samples.follow([checkpoint(1)]);
    await samples.settled();
    samples.follow([checkpoint(2)]);
    await samples.settled();
    expect(lines).toEqual([expect.stringContaining("No samples of round 1: the checkpoint of round 1 is not stored.")]);
    expect(samples.rows.map(({ round }) => round)).toEqual([2]);
  });

  test("a damaged file is told, and they begin anew", async () => {
    const folder = await freshFolder();
    await writeFile(join(folder, "samples.json"), "{");
    const { samples, lines } = await openWith({}, folder);
    expect(lines).toEqual([expect.stringMatching(/samples\.json is damaged/)]);
    samples.follow([checkpoint(1)]);
    await samples.settled();
    expect(samples.rows).toHaveLength(1);
  });

  test("closed, it gives up what is being written, and says nothing", async () => {
    let fail = (_: Error): void => {};
    const { samples, lines } = await openWith({
      write: () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
      close: async () => fail(new Error("its thread has ended")),
    });
    samples.follow([checkpoint(1)]);
    await samples.close();
    expect(lines).toEqual([]);
  });
});
