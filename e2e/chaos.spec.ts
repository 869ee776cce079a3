// Real browsers under fire, four in the whole proof and three in its short form: one is killed, frozen or cut off every two median join
// times, and the host is killed every minute.
// Nothing that anybody was told is lost, no stall is longer than three fault-free rounds, and all end at the anchor that the log replays to.
//
//   join -> rounds without faults, to measure by -> fire -> everybody back -> pause, compare, replay
//
// `npm test` runs a minute of it; `npm run proof:chaos -- [--minutes 15] [--seed 1]` the whole.
import { execFileSync } from "node:child_process";
import { expect, test } from "@playwright/test";
import { Lab, type Strike, seconds } from "./chaos/lab.ts";
import { median, quantile } from "./chaos/record.ts";
import { faultKinds, HEALTHY_MIN, Schedule } from "./chaos/schedule.ts";

const whole = process.env.GOSSAMER_PROOF === "whole";
const seed = Number(process.env.GOSSAMER_SEED ?? 1);
const minutes = Number(process.env.GOSSAMER_MINUTES ?? 15);
/** Two cores train three of them at a pace at which rounds, and so the proof, stay short. */
const BROWSERS = whole ? 4 : 3;
/** The short form's faults end so long after its start: it has a minute or so in all, from the first process to the last check. */
const SHORT_FAULTS_END_MS = 40_000;
/** On a machine so busy that nothing of that is left, faults strike for this long all the same. */
const SHORT_FAULTS_MS = 20_000;
const HOST_KILL_EVERY_MS = whole ? 60_000 : 20_000;
const CALM_ROUNDS = whole ? 6 : 2;
const STALL_ROUNDS_MAX = 3;
/** After the last fault everybody is back within this, or something is broken for good. */
const CALM_AGAIN_MS = 90_000;

test(`[R1] [R24] ${BROWSERS} browsers under fire, seed ${seed}`, async () => {
  test.setTimeout(whole ? (minutes + 10) * 60_000 : 4 * 60_000);
  const lab = await Lab.start();
  const { record, strikes, volunteers, startMs } = lab;
  const allHealthy = () => lab.healthy().length === BROWSERS;
  try {
    for (let i = 1; i <= BROWSERS; i++) await lab.open(`browser ${i}`);
    await lab.until("everybody contributes", allHealthy, 120_000);

    const calm = record.seals.length - 1;
    await lab.until("rounds without faults", () => record.seals.length > calm + CALM_ROUNDS, 180_000);
    const calmMs = median(record.roundsMs(calm, CALM_ROUNDS));
    const stallMaxMs = STALL_ROUNDS_MAX * calmMs;
    lab.say(`a fault-free round takes ${seconds(calmMs)}, joining ${seconds(median(lab.joinMs))}`);

    const fireMs = performance.now();
    const endMs = whole ? fireMs + minutes * 60_000 : Math.max(startMs + SHORT_FAULTS_END_MS, fireMs + SHORT_FAULTS_MS);
    const schedule = new Schedule(seed);
    let strikeAtMs = fireMs;
    let hostAtMs = fireMs + HOST_KILL_EVERY_MS / 2;
    let healthyLeast = BROWSERS;
    for (let now = fireMs; now < endMs; now = performance.now()) {
      healthyLeast = Math.min(healthyLeast, lab.healthy().length);
      if (now >= hostAtMs && lab.hostIsUp) {
        hostAtMs += HOST_KILL_EVERY_MS;
        lab.killHost();
      }
      const fault = now >= strikeAtMs ? schedule.next(lab.healthy()) : undefined;
      if (fault !== undefined) {
        strikeAtMs = now + 2 * median(lab.joinMs);
        lab.strike(fault);
      }
      await lab.look();
    }
    const ceasedMs = performance.now();
    await lab.settled();
    await lab.until("everybody contributes again", allHealthy, CALM_AGAIN_MS);
    await lab.until("a seal after the last fault", () => strikes.every((s) => lab.recovery(s)), CALM_AGAIN_MS);

    // Everybody stops to train and folds what there is: then all stand at one anchor.
    for (const { browser } of volunteers) await browser.pause();
    await expect
      .poll(async () => (await lab.host.run()).state, { message: "the run rests", timeout: 60_000 })
      .toBe("resting");
    const { head } = await lab.host.run();
    await expect
      .poll(() => volunteers.map(({ anchor }) => anchor), { message: "one anchor", timeout: 30_000 })
      .toEqual(volunteers.map(() => head.anchorHash));
    const log = await lab.host.log();
    await lab.stopReading();
    await lab.host.stop();
    const replay = JSON.parse(
      execFileSync(process.execPath, ["dist/node/main.js", "replay", "--data", lab.host.dataDir, "--json"], {
        encoding: "utf8",
      }),
    ) as { ok: boolean; anchorHash: string };

    const struck = (kind: Strike["kind"]) => strikes.filter((strike) => strike.kind === kind);
    const gaps = record.gaps(fireMs, ceasedMs).sort((a, b) => b.ms - a.ms);
    const commits = log.filter(({ type }) => type === "commit").length;
    const times = (ms: readonly number[]) =>
      ms.length === 0 ? "none" : `p50 ${seconds(median(ms))}, p95 ${seconds(quantile(ms, 0.95))} (${ms.length})`;
    const recovery = (some: readonly Strike[]) =>
      times(some.map((s) => (lab.recovery(s)?.atMs ?? Number.NaN) - s.atMs));
    for (const line of [
      `faults    ${[...faultKinds, "host" as const].map((kind) => `${kind} ${struck(kind).length}`).join(", ")}; at least ${healthyLeast} of ${BROWSERS} healthy`,
      `run       ${head.round} rounds sealed, ${commits} commits; of ${record.entriesSeen} entries that anybody was told ${record.lost(log).length} are lost`,
      `recovery  of the swarm ${recovery(strikes)}`,
      ...faultKinds.map(
        (kind) => `          after a ${kind} ${recovery(struck(kind))}; of the victim ${times(lab.victimMs[kind])}`,
      ),
      `          after the host's end ${recovery(struck("host"))}`,
      `stalls    longest ${gaps
        .slice(0, 5)
        .map(({ ms, atMs }) => `${seconds(ms)} at ${seconds(atMs - startMs)}`)
        .join(", ")}`,
      `limit     ${seconds(stallMaxMs)}: ${STALL_ROUNDS_MAX} fault-free rounds of ${seconds(calmMs)}; joining took ${seconds(median(lab.joinMs))}`,
    ])
      lab.say(line);

    expect(lab.troubles).toEqual([]);
    expect(record.contradictions).toEqual([]);
    expect(record.lost(log)).toEqual([]);
    expect(record.strayAnchors(log)).toEqual([]);
    expect(replay).toMatchObject({ ok: true, anchorHash: head.anchorHash });
    expect(healthyLeast).toBeGreaterThanOrEqual(HEALTHY_MIN);
    expect(gaps[0].ms, "the longest stall").toBeLessThanOrEqual(stallMaxMs);
    expect(struck("host").length).toBeGreaterThanOrEqual(whole ? Math.floor(minutes) : 1);
    expect(strikes.length).toBeGreaterThan(struck("host").length);
    if (whole) for (const kind of faultKinds) expect(struck(kind), kind).not.toEqual([]);
  } finally {
    await lab.close();
  }
});
