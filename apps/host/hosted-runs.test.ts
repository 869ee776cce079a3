import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { StartedHost } from "./host.ts";
import { RUNS_MAX } from "./hosted-runs.ts";
import { loadDraft } from "./load-run.ts";
import { freshFolder, startTestHost, TestSocket, TestVolunteer, tinyDraft, writeRun } from "./test-given.ts";

let host: StartedHost | undefined;
afterEach(async () => {
  await host?.close();
  host = undefined;
});

/** A data directory with two drafts in it: run.json and second.json, over the same text. */
async function twoRuns(): Promise<{ data: string; run: string; second: string }> {
  const data = await freshFolder();
  const run = await writeRun(data);
  const second = join(data, "second.json");
  await writeFile(second, JSON.stringify(tinyDraft({ name: "second", seed: 2 })));
  return { data, run, second };
}

const startSecond = async (of: StartedHost, second: string) =>
  of.runs.start(await loadDraft(second, ""), "second.json");

describe("several runs at once", () => {
  test("each has its peers, its log and its documents; the first that is named is the default", async () => {
    const { data, run, second } = await twoRuns();
    host = await startTestHost({ data, run, runs: [run, second] });
    const [first, other] = host.runs.list();
    const list = (await (await fetch(`${host.url}/api/runs`)).json()) as { id: string; name: string }[];
    expect(list.map(({ name }) => name)).toEqual(["tiny", "second"]);
    const ada = await TestVolunteer.join(host.url, 1);
    const bob = await TestVolunteer.join(host.url, 2, other.id);
    expect([ada.welcome.run, bob.welcome.run]).toEqual([first.id, other.id]);
    await Promise.all([
      ada.playRound(0, first.started.genesisHash),
      bob.playRound(0, other.started.genesisHash), // an upload goes to the run of its session
    ]);
    expect(first.detail(0, 10).peers.map(({ id }) => id)).toEqual([ada.peer]);
    expect(other.detail(0, 10).peers.map(({ id }) => id)).toEqual([bob.peer]);
    const detail = await (await fetch(`${host.url}/api/runs/${other.id}`)).json();
    expect(detail).toMatchObject({ name: "second", head: { round: 1 } });
    for (const { socket } of [ada, bob]) socket.close();
  });

  test("one that is started while the host is up is there again after a restart", async () => {
    const { data, run, second } = await twoRuns();
    host = await startTestHost({ data, run });
    const row = await startSecond(host, second);
    expect(row).toMatchObject({ name: "second", state: "resting", isDefault: false });
    const bob = await TestVolunteer.join(host.url, 2, row.id);
    await bob.playRound(0, host.runs.find(row.id)!.started.genesisHash);
    bob.socket.close();
    await host.close();
    host = await startTestHost({ data, run });
    expect(host.runs.list().map(({ spec }) => spec.name)).toEqual(["tiny", "second"]);
    expect(host.runs.find(row.id)?.detail(0, 1).head.round).toBe(1);
    await expect(startSecond(host, second)).rejects.toMatchObject({ status: 409, code: "served" });
  });

  test("a blob that both name stays when one forgets it; what only that one named goes", async () => {
    const data = await freshFolder();
    const forgetful = { ...tinyDraft().checkpoint, retain: "window" as const };
    const run = await writeRun(data, tinyDraft({ checkpoint: forgetful }));
    const second = join(data, "second.json");
    await writeFile(second, JSON.stringify(tinyDraft({ name: "second" }))); // the same first anchor, so the same first update
    host = await startTestHost({ data, run, runs: [run, second] });
    const [first, other] = host.runs.list();
    const bob = await TestVolunteer.join(host.url, 2, other.id);
    await bob.playRound(0, other.started.genesisHash);
    const ada = await TestVolunteer.join(host.url, 1, first.id);
    for (let round = 0; round < 6; round++) {
      await ada.playRound(round, first.detail(0, 1).head.anchorHash);
      await ada.entry("checkpoint");
    }
    const updates = first.entries.flatMap((entry) => (entry.type === "commit" ? [entry.contributors[0].update] : []));
    expect(other.kindOf(updates[0])).toBe("update");
    const status = async (hash: string) => (await fetch(`${host?.url}/api/blobs/${hash}`)).status;
    await expect.poll(() => status(updates[1])).toBe(404);
    expect(await status(updates[0])).toBe(200);
    for (const { socket } of [ada, bob]) socket.close();
  });

  test("one whose files are damaged is told, and the others are served", async () => {
    const { data, run, second } = await twoRuns();
    host = await startTestHost({ data, run });
    const { id } = await startSecond(host, second);
    await host.close();
    await writeFile(join(data, "runs", id, "spec.json"), "{}");
    const lines: string[] = [];
    host = await startTestHost({ data, run, report: (line) => lines.push(line) });
    expect(host.runs.list()).toHaveLength(1);
    expect(lines).toEqual([expect.stringContaining(`Run ${id} is not served`)]);
    expect(await host.runs.rows()).toMatchObject([
      { name: "tiny", problem: null },
      { id, state: "stored", problem: expect.stringContaining("spec.json is not the spec") },
    ]);
  });

  test(`more than ${RUNS_MAX} are refused with the remedy`, async () => {
    const { data, run } = await twoRuns();
    host = await startTestHost({ data, run });
    const draft = (seed: number) => ({ draft: tinyDraft({ name: `run ${seed}`, seed }), folder: data });
    for (let seed = 2; seed <= RUNS_MAX; seed++) await host.runs.start(draft(seed), "a draft");
    await expect(host.runs.start(draft(RUNS_MAX + 1), "a draft")).rejects.toThrow("Archive one first");
  });
});

describe("what the operator decides", () => {
  test("a paused run opens no round, says so, and stays paused over a restart until it is resumed", async () => {
    const { data, run } = await twoRuns();
    host = await startTestHost({ data, run });
    const ada = await TestVolunteer.join(host.url, 1);
    await ada.playRound(0, host.run.started.genesisHash);
    expect(await host.runs.pause(host.run.id)).toMatchObject({ state: "paused", round: 1 });
    ada.socket.close();
    await host.close();
    host = await startTestHost({ data, run });
    expect(host.run.summary().state).toBe("paused");
    const again = await TestVolunteer.join(host.url, 1);
    const { anchorHash } = host.run.detail(0, 1).head;
    again.send({ type: "ready", round: 1, anchorHash, stepMs: 1 });
    const entries = host.run.entries.length;
    await again.roundTrip(); // what it said has been taken in
    expect(host.run.entries).toHaveLength(entries);
    await host.runs.resume("default");
    expect(await again.entry("open")).toMatchObject({ round: 1 });
    again.socket.close();
  });

  test("an ended run has its end in the log, with the reason; then it can be archived", async () => {
    const { data, run } = await twoRuns();
    host = await startTestHost({ data, run });
    const { id } = host.run;
    await expect(host.runs.archive(id)).rejects.toMatchObject({ status: 409, code: "running" });
    expect(await host.runs.end(id, "the text was wrong")).toMatchObject({ state: "ended" });
    expect(host.run.entries.at(-1)).toMatchObject({ type: "end", reason: "the text was wrong" });
    await expect(host.runs.end(id, "again")).rejects.toMatchObject({ code: "ended" });
    await expect(host.runs.pause(id)).rejects.toMatchObject({ code: "ended" });
    expect(await host.runs.archive(id)).toMatchObject({ id, state: "archived" });
    expect(await (await fetch(`${host.url}/api/runs`)).json()).toEqual([]);
    expect((await fetch(`${host.url}/api/runs/${id}`)).status).toBe(404);
  });

  test("who is in a run that is archived is told, and cannot come again; it can be started again as it was", async () => {
    const { data, run, second } = await twoRuns();
    host = await startTestHost({ data, run });
    const { id } = await startSecond(host, second);
    const ada = await TestVolunteer.join(host.url, 1, id);
    const seal = await ada.playRound(0, host.runs.find(id)!.started.genesisHash);
    await host.runs.pause(id);
    await host.runs.archive(id);
    expect(await ada.next("refuse")).toMatchObject({ code: "run-ended", message: expect.stringContaining("archived") });
    expect((await ada.upload(Uint8Array.of(1))).status).toBe(401);
    const late = new TestSocket(`${host.url}/signal`);
    expect(await late.refusalOf(9, id)).toBe("run-unknown");
    expect(await host.runs.startStored(id)).toMatchObject({ state: "resting", round: 1 });
    const back = await TestVolunteer.join(host.url, 1, id);
    expect(host.runs.find(id)?.detail(0, 1).head.anchorHash).toBe(seal.anchorHash);
    back.socket.close();
  });

  test("a state file of another version is refused by name", async () => {
    const { data, run } = await twoRuns();
    host = await startTestHost({ data, run });
    await host.runs.pause("default");
    const path = join(data, "runs", host.run.id, "state.json");
    const state = JSON.parse(await readFile(path, "utf8"));
    expect(state).toEqual({ format: "gossamer run state", version: 1, served: false, paused: true, archived: false });
    await host.close();
    host = undefined;
    await writeFile(path, JSON.stringify({ ...state, version: 2 }));
    await expect(startTestHost({ data, run })).rejects.toThrow(`${path} cannot be read by this build`);
  });
});
