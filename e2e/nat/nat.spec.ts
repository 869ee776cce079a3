// Two volunteers at home, behind routers of each kind: they link up by whatever way there is, and the page says which.
//
// The way is told three times, by witnesses that do not know of each other: the page, the peers' own counts at the host, and the packets
// that the lab's public network saw.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import type { LinkReport, LogEntry, RunDraft } from "../../packages/wire/index.ts";
import { startHost, type TestDonor } from "../support.ts";
import { type Coturn, startCoturn } from "./coturn.ts";
import { Lab, type Nat, PUBLIC_ADDRESS, type WayBytes } from "./lab.ts";
import { logOf, runOf, volunteerIn } from "./volunteer.ts";

/** Rounds with both that each case waits for once they are linked. */
const JOINT_ROUNDS = 3;
/** Two browsers start, and a way that leads nowhere has been tried. Idle, a case takes some 20 s in all. */
const LINK_MS = 60_000;
const ROUNDS_MS = 60_000;

interface Case {
  readonly name: string;
  readonly nats: readonly [Nat, Nat];
  readonly turn: boolean;
  readonly way: LinkReport["kind"];
  /** As the page has it. */
  readonly words: string;
}

// TURN is on offer in the first case too: not to be needed is the point.
const cases: readonly Case[] = [
  { name: "cone and cone, over STUN", nats: ["cone", "cone"], turn: true, way: "direct", words: "direct" },
  {
    name: "cone and symmetric, over TURN",
    nats: ["cone", "symmetric"],
    turn: true,
    way: "turn",
    words: "through TURN",
  },
  {
    name: "symmetric and symmetric, over TURN",
    nats: ["symmetric", "symmetric"],
    turn: true,
    way: "turn",
    words: "through TURN",
  },
  {
    name: "UDP blocked, over TURN on TCP",
    nats: ["udp-blocked", "udp-blocked"],
    turn: true,
    way: "turn",
    words: "through TURN",
  },
  {
    name: "no TURN at all, over the host's relay",
    nats: ["symmetric", "udp-blocked"],
    turn: false,
    way: "relayed",
    words: "through the host",
  },
];

/** Bytes of the updates in sealed commits that name both. */
function jointBytes(log: readonly LogEntry[]): number[] {
  const sealed = new Set(log.flatMap((entry) => (entry.type === "seal" ? [entry.round] : [])));
  return log
    .filter((entry) => entry.type === "commit" && entry.contributors.length === 2 && sealed.has(entry.round))
    .map((entry) => (entry.type === "commit" ? entry.contributors.reduce((sum, { bytes }) => sum + bytes, 0) : 0));
}

function turnArgs(coturn: Coturn | undefined): string[] {
  if (coturn === undefined) return [];
  return ["--turn", coturn.urls.udp, "--turn", coturn.urls.tcp, "--turn-secret-file", coturn.secretFile];
}

/** A run whose text is so short that what moves over the link is updates: shards of the default text are 19 MB, and travel beside them. */
function shortText(folder: string): string {
  const draft = JSON.parse(readFileSync("e2e/short-rounds.json", "utf8")) as RunDraft;
  const corpus = { kind: "file", path: "./text.txt", source: "a test", licence: "CC0-1.0", evaluationPart: 0.1 };
  // No two windows alike: from the same tokens two peers would make the same update, and [R10] takes it from one of them alone.
  const nights = Array.from({ length: 5_000 }, (_, i) => `Night ${(i * 7_919) % 10_007} was dark and stormy.\n`);
  writeFileSync(join(folder, "text.txt"), nights.join(""));
  writeFileSync(join(folder, "run.json"), JSON.stringify({ ...draft, corpus }));
  return join(folder, "run.json");
}

const ownLink = (page: Page, words: string) =>
  page.getByRole("region", { name: "Your links" }).getByRole("cell", { name: words, exact: true });

const grown = (before: WayBytes, after: WayBytes): WayBytes => ({
  betweenHomes: after.betweenHomes - before.betweenHomes,
  toTurn: after.toTurn - before.toTurn,
  toHost: after.toHost - before.toHost,
});

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

for (const { name, nats, turn, way, words } of cases) {
  test(name, async () => {
    const started = performance.now();
    const lab = await Lab.open({ A: { nat: nats[0] }, B: { nat: nats[1] } });
    const donors: TestDonor[] = [];
    const coturn = turn ? await startCoturn(lab, "lab secret") : undefined;
    const host = await startHost({
      run: shortText(lab.folder),
      enter: lab.enter("pub"),
      args: ["--share", ...turnArgs(coturn)],
    });
    try {
      const url = `https://${PUBLIC_ADDRESS}:${new URL(host.url).port}`;
      donors.push(...(await Promise.all([volunteerIn(lab, "A", url), volunteerIn(lab, "B", url)])));
      const opened = performance.now();
      for (const { page } of donors) await expect(ownLink(page, words)).toBeVisible({ timeout: LINK_MS });
      const linked = performance.now();

      const [{ page }] = donors as [TestDonor, TestDonor];
      const before = await runOf(page);
      const waysBefore = lab.wayBytes();
      const from = (await logOf(page, 0)).length;
      let joint: number[] = [];
      await expect
        .poll(
          async () => {
            joint = jointBytes(await logOf(page, from));
            return joint.length;
          },
          { message: `${JOINT_ROUNDS} sealed rounds with both`, timeout: ROUNDS_MS, intervals: [500] },
        )
        .toBeGreaterThanOrEqual(JOINT_ROUNDS);
      const done = performance.now();
      const ways = grown(waysBefore, lab.wayBytes());
      const updates = joint.reduce((sum, bytes) => sum + bytes, 0);

      // Peers report what they moved every few seconds.
      let after = before;
      await expect
        .poll(
          async () => {
            after = await runOf(page);
            return after.traffic[way] - before.traffic[way];
          },
          { message: `bytes that peers count as ${way}`, timeout: ROUNDS_MS, intervals: [500] },
        )
        .toBeGreaterThanOrEqual(updates);
      console.log(
        `${name}: linked ${seconds(linked - opened)} after both pressed, ${joint.length} rounds in ${seconds(done - linked)}, ` +
          `updates ${updates} B; counted direct ${after.traffic.direct}, TURN ${after.traffic.turn}, relayed ${after.traffic.relayed}; ` +
          `on the wire between homes ${ways.betweenHomes}, to TURN ${ways.toTurn}; all of it ${seconds(done - started)}`,
      );

      for (const { page } of donors) await expect(ownLink(page, words)).toBeVisible();
      for (const peer of after.peers) expect(peer.links.map(({ kind }) => kind)).toEqual([way]);
      for (const other of ["direct", "turn", "relayed"] as const)
        if (other !== way) expect(after.traffic[other], `${other} bytes`).toBe(0);
      expect(after.updateBytesServed).toBe(before.updateBytesServed);
      // Attempts in vain, keep-alives and idle allocations are small beside the updates.
      const least = { betweenHomes: way === "direct" ? updates : 0, toTurn: way === "turn" ? updates : 0 };
      const few = updates / 5;
      const most = { betweenHomes: way === "direct" ? Infinity : few, toTurn: way === "turn" ? Infinity : few };
      for (const key of ["betweenHomes", "toTurn"] as const) {
        expect(ways[key], key).toBeGreaterThanOrEqual(least[key]);
        expect(ways[key], key).toBeLessThanOrEqual(most[key]);
      }

      // Each had a relay address by the login that the host made for it, needed or not.
      for (const { id } of after.peers)
        if (coturn !== undefined)
          expect(coturn.log()).toMatch(new RegExp(`:${id}>: incoming packet ALLOCATE processed, success`));

      await Promise.all(donors.map((donor) => donor.close()));
      await host.stop();
      expect(host.replays()).toBe(true);
    } finally {
      await Promise.all(donors.map((donor) => donor.close()));
      await host.stop();
      host.remove();
      await lab.close();
    }
  });
}
