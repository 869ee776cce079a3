// Two volunteers, one model: real host, two browser processes, WebRTC on loopback.
import { expect, test } from "@playwright/test";
import { en } from "../apps/web/words/en.ts";
import { english } from "../apps/web/words/format.ts";
import {
  countOfAttesters,
  entryHash,
  type LogEntry,
  type Overview,
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
    // Peers report what they moved every two seconds.
    const run = await untilRun(host, "updates from each other", ({ peers }) =>
      peers.every(({ bytesReceived }) => bytesReceived > 50_000),
    );
    expect(run.updateBytesServed).toBe(servedAtFirst);
    for (const peer of run.peers) {
      expect(peer.links).toHaveLength(1);
      expect(peer.links[0]?.kind).toBe("direct");
    }
  });

  test("who watches sees their link, its way, times and bytes, and what moved in all, as the API says them", async ({
    page,
  }) => {
    await page.goto(`${host.url}/watch`);
    const mesh = page.getByRole("img", { name: "Mesh of 2 peers with 1 link: 1 direct" });
    await mesh.scrollIntoViewIfNeeded();
    await expect(mesh).toBeVisible();
    await expect(page.getByText(/^median round trip [\d.]+ m?s$/)).toBeVisible();
    const links = page.getByRole("region", { name: "Links of the run" });
    await links.scrollIntoViewIfNeeded();
    await expect(links.getByRole("row")).toHaveCount(2); // its head, and one: both ends report the same link
    const cells = () => links.getByRole("row").nth(1).getByRole("cell").allTextContents();
    const rate = expect.stringMatching(/^[\d.]+ k?B\/s$/);
    await expect.poll(async () => (await cells()).slice(1, 4)).toEqual(["direct", rate, rate]);

    // Both rest for a moment: otherwise all of it grows while it is read.
    const press = (name: string) =>
      Promise.all(donors.map((donor) => donor.page.getByRole("button", { name, exact: true }).click()));
    await press("Pause");
    await untilRun(host, "both rest", ({ peers }) => peers.every(({ state }) => state === "paused"));
    const { bytes, times } = english;
    const same = (
      what: string,
      shown: () => Promise<string[]>,
      said: (run: RunDetail) => Promise<string[]> | string[],
    ) =>
      expect(async () => expect(await shown(), what).toEqual(await said(await host.run()))).toPass({ timeout: 30_000 });
    await same(
      "bytes of the link, as its end with the smaller id counts them",
      async () => (await cells()).slice(4, 6),
      ({ peers }) => {
        const [{ links }] = [...peers].sort((a, b) => (a.id < b.id ? -1 : 1));
        return [bytes(links[0].bytesSent), bytes(links[0].bytesReceived)];
      },
    );
    await same(
      "bytes in all, by their way",
      async () => {
        const shown = await page.locator(".bandwidth .totals dd").allTextContents();
        return shown.map((text) => text.split(" ").slice(0, 2).join(" "));
      },
      ({ traffic: { direct, turn, relayed, toHost, fromHost }, updateBytesServed }) =>
        [direct, turn, relayed, toHost, fromHost, updateBytesServed].map(bytes),
    );
    await same(
      "beside DDP",
      async () => [(await page.locator(".against figcaption").textContent()) ?? ""],
      async ({ traffic: { direct, turn, relayed, toHost }, updateBytesServed }) => {
        const { ddpBytes } = (await (await fetch(`${host.url}/api/runs/default/overview`)).json()) as Overview;
        const moved = direct + turn + relayed + toHost + updateBytesServed;
        return [en.bandwidth.ddp(bytes(moved), bytes(ddpBytes), times(ddpBytes / moved))];
      },
    );
    await press("Resume");
    await untilRun(host, "both train again", ({ peers }) => peers.every(({ state }) => state !== "paused"));
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
