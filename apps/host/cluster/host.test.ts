// Hosts of a cluster in one process, with a real NATS server between them (apt-get install nats-server).
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { agreeOn, openNats, openNatsLog } from "#store/nats";
import { type EntryOf, entryHash, identityFrom, type LogEntry, runIdOf, signEntry } from "#wire";
import { type NatsServer, startNats } from "../../../packages/store/test-nats.ts";
import { freshFolder, TestVolunteer, tinyDraft, writeRun } from "../test-given.ts";
import { Crowd } from "../test-peer.ts";
import { Witness } from "../witness.ts";
import { type ClusterHost, type ClusterOptions, startClusterHost } from "./host.ts";

let server: NatsServer;
let clusters = 0;

beforeAll(async () => {
  server = await startNats();
});
afterAll(() => server?.close());

async function start(cluster: string, run: string, given: Partial<ClusterOptions> = {}) {
  const said: string[] = [];
  const host = await startClusterHost({
    ...{ cluster, runs: [run], data: await freshFolder(), from: "/", host: "127.0.0.1", port: 0 },
    ...{ share: false, allowOrigins: [], report: (line: string) => said.push(line) },
    witness: (spec, _, disk) => new Witness(spec, disk),
    fatal: (error) => {
      throw error;
    },
    ...given,
  });
  return { host, said };
}

async function untilReady(...hosts: { host: ClusterHost }[]): Promise<void> {
  for (const { host } of hosts) while (!(await fetch(`${host.url}/readyz`)).ok);
}

const inCluster = () => server.url(`hosts-${clusters++}`);
const json = async <T>(url: string): Promise<T> => (await fetch(url)).json() as Promise<T>;

test("a peer of one host uploads to another and reads from a third; documents and events come from whoever leads", async () => {
  const [cluster, run] = [inCluster(), await writeRun(await freshFolder())];
  const one = await start(cluster, run);
  await untilReady(one);
  const [two, three] = [await start(cluster, run), await start(cluster, run)];
  await untilReady(two, three);
  const ada = await TestVolunteer.join(two.host.url, 1);
  const { head } = await json<{ head: { anchorHash: string } }>(`${three.host.url}/api/runs/default`);
  const foreign = new Uint8Array(100).fill(1);
  const answer = await fetch(`${one.host.url}/api/blobs/${"0".repeat(64)}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${ada.welcome.session}` },
    body: foreign,
  });
  expect(answer.status).toBe(422); // it is let in, and has another name
  const stranger = { method: "PUT", headers: { authorization: `Bearer ${"1".repeat(64)}` }, body: foreign };
  expect((await fetch(`${one.host.url}/api/blobs/${"0".repeat(64)}`, stranger)).status).toBe(401);
  const offer = await ada.offerRound(0, head.anchorHash);
  await ada.entry("commit");
  const blob = await fetch(`${three.host.url}/api/blobs/${offer.update}`);
  expect((await blob.arrayBuffer()).byteLength).toBe(offer.bytes);
  const events = await fetch(`${two.host.url}/api/runs/default/events`);
  expect(events.headers.get("content-type")).toBe("text/event-stream");
  await events.body?.cancel();
  const logs = await Promise.all([one, two, three].map(({ host }) => json(`${host.url}/api/runs/default/log?raw=1`)));
  expect(logs[1]).toEqual(logs[0]);
  expect(logs[2]).toEqual(logs[0]);
  expect((await fetch(`${two.host.url}/api/runs/${"0".repeat(64)}`)).status).toBe(404);
  expect((await fetch(`${two.host.url}/api/admin/runs`)).status).toBe(409);
  expect((await fetch(`${two.host.url}/api/blobs/${"0".repeat(64)}`)).status).toBe(404);
  ada.socket.close();
  for (const { host } of [one, two, three]) await host.close();
});

test("the host that orders the run stops: another goes on at once, and peers elsewhere keep their sockets", async () => {
  const [cluster, run] = [inCluster(), await writeRun(await freshFolder())];
  const one = await start(cluster, run);
  await untilReady(one);
  const two = await start(cluster, run);
  await untilReady(two);
  const ada = await TestVolunteer.join(two.host.url, 1);
  const { head } = await json<{ head: { anchorHash: string } }>(`${two.host.url}/api/runs/default`);
  const seal = await ada.playRound(0, head.anchorHash);
  const before = await json<unknown[]>(`${one.host.url}/api/runs/default/log?raw=1`);
  await one.host.close();
  const again = await ada.next("welcome");
  expect(again).toMatchObject({ session: ada.welcome.session, headSeq: before.length - 1 });
  ada.send({ type: "head", seq: again.headSeq, hash: again.headHash });
  await ada.playRound(1, seal.anchorHash);
  const after = await json<unknown[]>(`${two.host.url}/api/runs/default/log?raw=1`);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(two.said.at(-1)).toContain("orders the run from now on, after round 1");
  ada.socket.close();
  await two.host.close();
});

test("a NATS server that is away for long: hosts keep their sockets and say why they wait; then the run goes on", async () => {
  const own = await startNats();
  const run = await writeRun(await freshFolder());
  const { host, said } = await start(own.url(), run);
  const readiness = async () => (await fetch(`${host.url}/readyz`)).json() as Promise<{ ok: boolean; why?: string }>;
  await untilReady({ host });
  const crowd = Crowd.join(host.url, [1, 2]);
  await crowd.until(({ round }) => round >= 2);
  await own.kill();
  while (!said.some((line) => line.includes("does not order the run any more"))) await readiness();
  expect(await readiness()).toMatchObject({ ok: false, why: expect.stringContaining("does not answer") });
  const { round } = crowd.newest;
  await own.again();
  await crowd.until((log) => log.round >= round + 2);
  expect(said).toContainEqual(expect.stringContaining("answers again"));
  for (const { closings, refusals } of crowd.peers.values()) expect([closings, refusals]).toEqual([0, []]);
  crowd.close();
  await host.close();
  await own.close();
}, 40_000);

test("an entry that another host appended meanwhile: the log refuses ours, is read again, and the run goes on from there", async () => {
  const [cluster, run] = [inCluster(), await writeRun(await freshFolder())];
  const one = await start(cluster, run);
  await untilReady(one);
  const { url, spec } = one.host;
  const ada = await TestVolunteer.join(url, 1);
  const { head } = await json<{ head: { anchorHash: string } }>(`${url}/api/runs/default`);
  const seal = await ada.playRound(0, head.anchorHash);
  const before = await json<LogEntry[]>(`${url}/api/runs/default/log?raw=1`);
  const { deadlineMs, roster } = before[0] as EntryOf<"open">;

  // What a host that does not know yet that it has lost the lease may still do, once.
  const nats = await openNats(cluster);
  const seed = await agreeOn(nats, "host-key", "");
  const stale = await openNatsLog(nats, runIdOf(spec), spec.hostKey);
  const tokensBefore = 4 * 2 * 8; // of round 0
  const open = {
    type: "open",
    round: 1,
    roster,
    baseHash: seal.anchorHash,
    cursor: 8,
    tokensBefore,
    deadlineMs,
  } as const;
  const entry = signEntry(
    identityFrom(Buffer.from(seed, "hex")),
    runIdOf(spec),
    stale.entries.at(-1),
    Date.now(),
    open,
  );
  await stale.log.append(entry);
  await nats.connection.close();

  ada.send({ type: "ready", round: 1, anchorHash: seal.anchorHash, stepMs: 1 });
  const again = await ada.next("welcome");
  expect(again).toMatchObject({ headSeq: before.length, headHash: entryHash(entry) });
  const after = await json<LogEntry[]>(`${url}/api/runs/default/log?raw=1`);
  expect(after.slice(0, before.length + 1)).toEqual([...before, entry]);
  expect(one.said.filter((line) => line.includes("orders the run from now on"))).toHaveLength(2);
  ada.socket.close();
  await one.host.close();
});

test("another spec, several runs and an unreachable server are refused by name", async () => {
  const [cluster, folder] = [inCluster(), await freshFolder()];
  const run = await writeRun(folder);
  const { host } = await start(cluster, run);
  const other = join(folder, "other.json");
  await writeFile(other, JSON.stringify(tinyDraft({ name: "other" })));
  await expect(start(cluster, other)).rejects.toThrow(/serves run [0-9a-f]{64}; --run .*other.json makes/);
  await expect(start(cluster, run, { runs: [run, other] })).rejects.toThrow(/serve one run/);
  await expect(start("nats://127.0.0.1:1", run)).rejects.toThrow(/No NATS server answers/);
  await host.close();
});
