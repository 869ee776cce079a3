// Real hosts, and peers that fold what they are told: more offers than a commit may name, and updates that the host never sees.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { foldCommit, genesisState } from "#outer";
import { decodeManifest, type EntryOf, isGroup, type LogEntry, verifyOffer } from "#wire";
import { freshFolder, startTestHost, tinyDraft, writeRun } from "./test-given.ts";
import { Crowd } from "./test-peer.ts";

const ofType = <T extends LogEntry["type"]>(log: readonly LogEntry[], type: T): EntryOf<T>[] =>
  log.filter((entry): entry is EntryOf<T> => entry.type === type);

test("[R27] five peers, two contributions: groups attest their aggregates, and the log says who is in them", async () => {
  const data = await freshFolder();
  const { rounds } = tinyDraft();
  const run = await writeRun(data, tinyDraft({ rounds: { ...rounds, maxContributors: 2 } }));
  const host = await startTestHost({ data, run });
  const crowd = Crowd.join(host.url, [1, 2, 3, 4, 5]);
  await crowd.until(({ round }) => round >= 4);
  const { spec, id } = host.run;
  const blob = async (hash: string): Promise<Uint8Array> =>
    new Uint8Array(await (await fetch(`${host.url}/api/blobs/${hash}`)).arrayBuffer());

  const log = host.run.entries as LogEntry[];
  const state = genesisState(spec);
  let groups = 0;
  for (const { round, anchorHash, refused } of ofType(log, "seal")) {
    const commit = ofType(log, "commit").find((entry) => entry.round === round)!;
    expect(commit.contributors.length).toBeLessThanOrEqual(2);
    const blobs = new Map<string, Uint8Array>();
    for (const contribution of commit.contributors) {
      blobs.set(contribution.update, await blob(contribution.update));
      if (!isGroup(contribution)) continue;
      groups += 1;
      const members = decodeManifest(await blob(contribution.manifest))!;
      expect(members).toHaveLength(contribution.members);
      expect(members.every((offer) => verifyOffer(id, offer) && offer.openSeq === commit.openSeq)).toBe(true);
      expect(2 * contribution.attesters).toBeGreaterThan(contribution.members);
      expect(members.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(contribution.tokens);
    }
    expect(refused).toEqual([]);
    expect(foldCommit(state, spec, commit, (name) => blobs.get(name)).anchorHash).toBe(anchorHash);
  }
  expect(groups).toBeGreaterThanOrEqual(2);
  for (const { tokens } of host.run.detail(0, 10).peers) expect(tokens).toBeGreaterThan(0);
  for (const { refusals } of crowd.peers.values()) expect(refusals).toEqual([]);
  crowd.close();
  await host.close();
});

test("[R24] [R35] [R36] [R37] where peers keep the updates no blob lies at the host, and after a restart its log goes on", async () => {
  const data = await freshFolder();
  const { rounds } = tinyDraft();
  const kept = { ...rounds, durability: "peers" as const, holders: 2 };
  const checkpoint = { everyRounds: 2, retain: "window" as const };
  const run = await writeRun(data, tinyDraft({ version: 2, rounds: kept, checkpoint }));
  const first = await startTestHost({ data, run });
  const crowd = Crowd.join(first.url, [1, 2, 3, 4]);
  await crowd.until((log) => log.round >= 4 && log.checkpoint !== undefined);
  const before = [...first.run.entries] as LogEntry[];
  await first.close();
  const again = await startTestHost({ data, run, port: Number(new URL(first.url).port) });
  const { length } = ofType(before, "seal");
  await crowd.until(({ round }) => round >= length + 3);

  const log = again.run.entries as LogEntry[];
  expect(log.slice(0, before.length)).toEqual(before);
  expect(ofType(log, "void")).toEqual([]);
  const named = [
    ...ofType(log, "commit").flatMap(({ contributors }) => contributors.map(({ update }) => update)),
    ...ofType(log, "checkpoint").flatMap(({ blobs }) => blobs.map(({ hash }) => hash)),
  ];
  expect(named.filter((hash) => existsSync(join(data, "blobs", hash.slice(0, 2), hash)))).toEqual([]);
  expect(ofType(log, "commit").some(({ contributors }) => contributors.length === 4)).toBe(true);
  for (const { refusals } of crowd.peers.values()) expect(refusals).toEqual([]);
  crowd.close();
  await again.close();
});
