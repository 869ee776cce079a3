// What the host tells watchers: who did what when in a round, a moment of the past, sums, the badge, and pushes of all that.
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod/mini";
import { momentSchema, overviewSchema, peerRowSchema, roundTimesSchema, runDetailSchema } from "#wire";
import type { RunningHost } from "./network.ts";
import type { HostedRun } from "./run.ts";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "./test-given.ts";

const NAME = 'tiny <b>&"';
let host: RunningHost & { readonly run: HostedRun };
let volunteer: TestVolunteer;

/** A host with two rounds behind it. */
beforeAll(async () => {
  const data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data, tinyDraft({ name: NAME })) });
  volunteer = await TestVolunteer.join(host.url, 1);
  await volunteer.playRound(0, host.run.started.genesisHash);
  await volunteer.playRound(1, host.run.detail(0, 1).head.anchorHash);
});
afterAll(async () => {
  volunteer.socket.close();
  await host.close();
});

const get = (path: string) => fetch(host.url + path);
const json = async (path: string): Promise<unknown> => (await get(`/api/runs/default/${path}`)).json();

test("rounds say who offered and folded when, in the order in which it happened", async () => {
  const rounds = z.array(roundTimesSchema).parse(await json("rounds"));
  expect(rounds.map(({ round }) => round)).toEqual([0, 1]);
  for (const { openedAt, committedAt, sealedAt, peers, anchorHash, attesters } of rounds) {
    expect([peers.length, attesters, anchorHash?.length]).toEqual([1, 1, 64]);
    const [{ peer, name, offeredAt, foldedAt, named, agrees, tokens, busyUntil }] = peers;
    expect([peer, name, named, agrees, tokens, busyUntil]).toEqual([volunteer.peer, "Ada", true, true, 64, null]);
    const order = [openedAt, offeredAt, committedAt, foldedAt, sealedAt].map(Number);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  }
  expect(await json("rounds?from=1&limit=1")).toHaveLength(1);
  expect(await json("rounds?from=7")).toEqual([]);
});

test("a moment is the run as it was then", async () => {
  const [first, second] = [await json("rounds/1"), await json("rounds/2")].map((moment) => momentSchema.parse(moment));
  expect(first).toMatchObject({ round: 1, tokens: 64, trainLoss: 5, standingsTotal: 1, times: { round: 0 } });
  expect(first.standings).toEqual([{ peer: volunteer.peer, name: "Ada", tokens: 64, rounds: 1 }]);
  expect(second.standings[0]).toMatchObject({ tokens: 128, rounds: 2 });
  expect(second.anchorHash).toBe(host.run.detail(0, 1).head.anchorHash);
  for (const [path, status] of [
    ["rounds/3", 404],
    ["rounds/0", 400],
    ["rounds/-1", 400],
    ["rounds/x", 400],
    ["rounds?limit=0", 400],
  ] as const)
    expect((await get(`/api/runs/default/${path}`)).status).toBe(status);
});

test("sums of all peers, and how the host is", async () => {
  const overview = overviewSchema.parse(await json("overview"));
  expect(overview.peersByState).toMatchObject({ paused: 1, training: 0 });
  expect(overview.adapters).toMatchObject([{ adapter: { vendor: "test" }, peers: 1, training: 0 }]);
  expect(overview.ddpBytes).toBe(0); // one peer alone exchanges nothing
  expect(overview.host).toMatchObject({ connections: 1, watchers: 0, logEntries: host.run.entries.length });
  expect(overview.host.memoryBytes).toBeGreaterThan(1e6);
});

test("peers come in pages", async () => {
  const { peers, peersTotal } = (await json("peers?from=0&limit=1")) as { peers: unknown[]; peersTotal: number };
  expect([peerRowSchema.parse(peers[0]).id, peersTotal]).toEqual([volunteer.peer, 1]);
  expect(((await json("peers?from=1")) as { peers: unknown[] }).peers).toEqual([]);
});

test("the badge is a picture for any page, and a run's name is text in it", async () => {
  const response = await get("/badge/default.svg");
  expect(response.headers.get("content-type")).toBe("image/svg+xml");
  expect(response.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
  const svg = await response.text();
  expect(svg).toContain("round 2 · loss");
  expect(svg).toContain("tiny &#60;b&#62;&#38;&#34;");
  expect(svg).not.toContain("<b>");
  expect((await get("/badge/nope.svg")).status).toBe(404);
});

test("a curve comes as a table for spreadsheets too", async () => {
  const response = await get("/api/runs/default/series?metric=trainLoss&format=csv");
  expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8");
  const [head, first, , end] = (await response.text()).split("\r\n");
  expect([head, end]).toEqual(["round,tokens,time,trainLoss", ""]);
  expect(first).toMatch(/^1,64,\d{4}-\d\d-\d\dT[\d:.]+Z,5$/);
  expect((await get("/api/runs/default/series?format=xls")).status).toBe(400);
});

test("a new watcher is told the run, its newest rounds and the overview at once", async () => {
  const response = await get("/api/runs/default/events");
  const reader = response.body!.getReader();
  let text = "";
  while (!text.includes("event: overview")) text += new TextDecoder().decode((await reader.read()).value);
  const dataOf = (event: string) => JSON.parse(new RegExp(`event: ${event}\ndata: (.*)\n`).exec(text)![1]);
  expect(runDetailSchema.parse(dataOf("run")).head.round).toBe(2);
  expect(z.array(roundTimesSchema).parse(dataOf("rounds"))).toHaveLength(2);
  await reader.cancel();
});
