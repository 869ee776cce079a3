// Whether a host can serve, and what it says when it stops.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { diagnosisSchema } from "#wire";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "./test-given.ts";

const json = async (url: string, path: string) => {
  const response = await fetch(url + path);
  return { status: response.status, body: await response.json() };
};

test("a host that stops tells its peers that it goes away, and goes on afterwards where it was", async () => {
  const data = await freshFolder();
  const run = await writeRun(data);
  const host = await startTestHost({ data, run });
  expect(await json(host.url, "/readyz")).toEqual({ status: 200, body: { ok: true } });
  expect(diagnosisSchema.parse((await json(host.url, "/api/runs/default/diagnosis")).body).findings).toEqual([]);
  const ada = await TestVolunteer.join(host.url, 1);
  const seal = await ada.playRound(0, host.run.started.genesisHash);
  await host.close();
  expect((await ada.whenClosed()).code).toBe(1001);
  const again = await startTestHost({ data, run });
  expect(again.run.started.anchorHash).toBe(seal.anchorHash);
  await again.close();
});

test("a host whose log names updates that it has not says so, and that it is not ready", async () => {
  const data = await freshFolder();
  const run = await writeRun(data, tinyDraft({ checkpoint: { everyRounds: 100, retain: "all" } }));
  const host = await startTestHost({ data, run });
  const ada = await TestVolunteer.join(host.url, 1);
  await ada.playRound(0, host.run.started.genesisHash);
  ada.socket.close();
  await host.close();
  const commit = host.run.entries.find((entry) => entry.type === "commit")!;
  const { update } = commit.contributors[0];
  await rm(join(data, "blobs", update.slice(0, 2), update));
  const again = await startTestHost({ data, run });
  const { status, body } = await json(again.url, "/readyz");
  expect(status).toBe(503);
  expect(body).toMatchObject({ ok: false, why: expect.stringContaining("updates of its log are missing here") });
  expect((await json(again.url, "/healthz")).status).toBe(200); // it lives, and waits for peers that hold it
  const metrics = await (await fetch(`${again.url}/metrics`)).text();
  expect(metrics).toContain("gossamer_ready 0\n");
  await again.close();
});
