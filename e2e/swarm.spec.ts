// Two volunteers, one model: real host, two browser processes, WebRTC on loopback.
import { expect, test } from "@playwright/test";
import {
  countOfAttesters,
  entryHash,
  type LogEntry,
  offersIn,
  type RunDetail,
  verifyOffer,
} from "../packages/wire/index.ts";
import { openDonor, SHORT_ROUNDS, STEADY_DUTY, startHost, type TestDonor, type TestHost, untilRun } from "./support.ts";

const commits = (log: readonly LogEntry[]) => log.filter((entry) => entry.type === "commit");
const seals = (log: readonly LogEntry[]) => log.filter((entry) => entry.type === "seal");

test.describe("two browsers train one model", () => {
  test.describe.configure({ mode: "serial" }); // one story: each test goes on where the last one stopped
  let host: TestHost;
  const donors: TestDonor[] = [];
  let servedAtFirst: number;

  test.beforeAll(async () => {
    host = await startHost({ run: SHORT_ROUNDS });
  });
  test.afterAll(async () => {
    await Promise.all(donors.map((donor) => donor.close()));
    await host.stop();
    host.remove();
  });

  test("a first browser trains alone", async () => {
    donors.push(await openDonor(host.url, { duty: STEADY_DUTY }));
    const run = await untilRun(host, "a round sealed by one peer alone", ({ round }) => round >= 1);
    expect(run.peers).toHaveLength(1);
    expect(run.head.trainLoss).toBeLessThan(Math.log(256));
    expect(run.peers[0]?.adapter?.isFallback).toBe(true);
  });

  test("a second one enters at the next open, and both have the same anchor bit for bit", async () => {
    donors.push(await openDonor(host.url, { duty: STEADY_DUTY }));
    const linked = ({ peers }: RunDetail) =>
      peers.length === 2 && peers.every(({ rounds, links }) => rounds >= 1 && links.length === 1);
    const joined = await untilRun(host, "a round of both, which have a link", linked);
    servedAtFirst = joined.updateBytesServed; // what somebody catches up with may be the host's
    const run = await untilRun(
      host,
      "four more rounds of both",
      ({ round, peers }) => peers.every((peer) => peer.rounds >= 5) && round >= joined.round + 4,
    );
    const log = await host.log();
    const joint = commits(log).filter((commit) => commit.contributors.length === 2);
    expect(joint.length).toBeGreaterThanOrEqual(4);
    for (const commit of joint) {
      const ids = commit.contributors.map(({ peer }) => peer);
      expect([...ids].sort()).toEqual(ids);
      for (const contribution of offersIn(commit)) expect(verifyOffer(run.id, contribution)).toBe(true);
    }
    // Every seal with two contributors is attested by both: they computed the hash that the host's witness computed.
    const attested = seals(log).filter((seal) => countOfAttesters(seal.attesters) === 2);
    expect(attested.length).toBeGreaterThanOrEqual(3);
    expect(seals(log).flatMap((seal) => seal.refused)).toEqual([]);
    // The chain holds.
    for (let i = 1; i < log.length; i++) expect(log[i]?.prevHash).toBe(entryHash(log[i - 1] as LogEntry));
  });

  test("updates went from browser to browser: the host served none", async () => {
    const run = await host.run();
    expect(run.updateBytesServed).toBe(servedAtFirst);
    for (const peer of run.peers) {
      expect(peer.bytesReceived).toBeGreaterThan(50_000);
      expect(peer.links).toHaveLength(1);
      expect(peer.links[0]?.kind).toBe("direct");
    }
  });

  test("one that closes does not stop the other, and the timeline says that it left", async () => {
    const left = donors.pop() as TestDonor;
    await left.close();
    const before = await untilRun(
      host,
      "one peer left",
      ({ peers }) => peers.filter((p) => p.state !== "left").length === 1,
    );
    const run = await untilRun(host, "two more rounds alone", ({ round }) => round >= before.round + 2);
    expect(run.churn.some(({ kind }) => kind === "left" || kind === "crashed")).toBe(true);
  });

  test("the host stopped and started continues the same run, and the page comes back by itself", async () => {
    const before = await host.run();
    const port = Number(new URL(host.url).port);
    await host.stop();
    await expect((donors[0] as TestDonor).page.getByRole("status").first()).toContainText(/host/i);
    host = await startHost({ run: SHORT_ROUNDS, dataDir: host.dataDir, port });
    const run = await untilRun(host, "rounds after the host came back", ({ round }) => round >= before.round + 2);
    expect(run.id).toBe(before.id);
    const log = await host.log();
    for (let i = 1; i < log.length; i++) expect(log[i]?.prevHash).toBe(entryHash(log[i - 1] as LogEntry));
  });

  test("when everybody leaves the run rests, and resumes with whoever comes", async () => {
    await (donors.pop() as TestDonor).close();
    const resting = await untilRun(host, "the run rests", ({ state }) => state === "resting");
    donors.push(await openDonor(host.url, { duty: STEADY_DUTY }));
    await untilRun(host, "rounds go on", ({ round, state }) => state === "running" && round >= resting.round + 1);
  });
});
