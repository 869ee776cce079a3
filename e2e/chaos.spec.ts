// Four real browsers under fire: one is killed, frozen or cut off every two median join times, and the host is killed every minute.
// Nothing that anybody was told is lost, no stall is longer than three fault-free rounds, and all end at the anchor that the log replays to.
//
// `npm test` runs two minutes of it; `npm run proof:chaos -- [--minutes 15] [--seed 1]` the whole.
import { execFileSync } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "@playwright/test";
import type { PeerId } from "../packages/wire/index.ts";
import { ChaosBrowser } from "./chaos/browser.ts";
import { followRun } from "./chaos/reader.ts";
import { median, quantile, RunRecord, type Seal } from "./chaos/record.ts";
import { type Fault, type FaultKind, faultKinds, HEALTHY_MIN, Schedule } from "./chaos/schedule.ts";
import { startHost } from "./support.ts";

const whole = process.env.GOSSAMER_PROOF === "whole";
const seed = Number(process.env.GOSSAMER_SEED ?? 1);
const minutes = Number(process.env.GOSSAMER_MINUTES ?? 15);
const BROWSERS = 4;
/** Faults end so long after the test's start; the short form has two minutes in all, from the first process to the last check. */
const SHORT_FAULTS_END_MS = 90_000;
/** A machine so busy that nothing of that is left strikes for this long all the same. */
const SHORT_FAULTS_MS = 25_000;
const HOST_KILL_EVERY_MS = whole ? 60_000 : 30_000;
/** Rounds without faults, against which stalls are held. */
const CALM_ROUNDS = whole ? 6 : 3;
const STALL_ROUNDS_MAX = 3;
/** How often the schedule is looked at. */
const LOOK_MS = 50;
/** After the last fault everybody is back within this, or something is broken for good. */
const CALM_AGAIN_MS = 90_000;
/** Longer than this to come back, and the page is asked what it says about that. */
const LONG_MS = 30_000;

interface Volunteer {
  readonly browser: ChaosBrowser;
  peer: PeerId | undefined;
  /** joining: not named in a commit since `since`. struck: under a fault. */
  state: "joining" | "healthy" | "struck";
  since: number;
  /** When its button was last pressed; undefined once that has led to a contribution. */
  pressedMs: number | undefined;
  /** When it was last asked why it takes so long. */
  askedMs: number;
  /** The fault that it is recovering from. */
  fault: FaultKind | undefined;
  anchor: string;
}

/** One fault that really struck, browser's or host's. */
interface Strike {
  readonly kind: FaultKind | "host";
  readonly atMs: number;
  readonly healthy: readonly PeerId[];
}

test(`[R1] [R24] four browsers under fire, seed ${seed}`, async () => {
  test.setTimeout(whole ? (minutes + 10) * 60_000 : 4 * 60_000);
  const startMs = performance.now();
  const say = (line: string): void =>
    console.log(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(7)} s  ${line}`);
  const volunteers: Volunteer[] = [];
  const joinMs: number[] = [];
  const victimMs: Record<FaultKind, number[]> = { kill: [], freeze: [], cut: [] };
  const strikes: Strike[] = [];
  const troubles: string[] = [];
  const healthy = (): Volunteer[] => volunteers.filter(({ state }) => state === "healthy");
  const healthyPeers = (): PeerId[] => healthy().map(({ peer }) => peer as PeerId);

  const sealed = ({ atMs, openedMs, contributors }: Seal): void => {
    for (const volunteer of volunteers) {
      const { state, peer, since, fault, browser } = volunteer;
      if (state !== "joining" || peer === undefined || !contributors.includes(peer)) continue;
      if (fault === "kill" && openedMs < (volunteer.pressedMs ?? 0)) continue; // what it had offered before it was killed
      volunteer.state = "healthy";
      if (volunteer.pressedMs !== undefined) joinMs.push(atMs - volunteer.pressedMs);
      volunteer.pressedMs = undefined;
      if (fault !== undefined) victimMs[fault].push(atMs - since);
      say(`${browser.name} contributes, ${((atMs - since) / 1000).toFixed(1)} s after ${fault ?? "the button"}`);
    }
  };
  const record = new RunRecord(sealed);
  let host = await startHost({ run: "e2e/chaos/rounds.json" });
  const { url, dataDir } = host;
  const stopReading = followRun(url, record);
  const endAll = (): void => {
    for (const { browser } of volunteers) browser.killNow();
    host.process.kill("SIGKILL");
  };
  process.once("exit", endAll);

  /** Things under way that the schedule does not wait for: a failure of one is the test's. */
  const underWay = new Set<Promise<void>>();
  let failure: unknown;
  const alongside = (work: Promise<void>): void => {
    const done = work
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => underWay.delete(done));
    underWay.add(done);
  };
  /** Looks at the run until it is so. */
  async function until(what: string, isSo: () => boolean, withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (!isSo()) {
      if (failure !== undefined) throw failure;
      askTheSlow();
      if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      await wait(LOOK_MS);
    }
  }

  function askTheSlow(): void {
    const now = performance.now();
    for (const volunteer of volunteers) {
      const { state, since, askedMs, browser } = volunteer;
      if (state !== "joining" || now < since + LONG_MS || now < askedMs + LONG_MS) continue;
      volunteer.askedMs = now;
      const words = browser.words().catch(() => "nothing");
      alongside(
        words.then((text) => say(`${browser.name} is not back after ${seconds(now - since)}, and says: ${text}`)),
      );
    }
  }

  async function strike({ kind, victim, lastsMs }: Fault<Volunteer>): Promise<void> {
    const { browser } = victim;
    const others = healthyPeers().filter((peer) => peer !== victim.peer);
    victim.state = "struck";
    victim.fault = kind;
    say(`${kind} ${browser.name}${kind === "kill" ? "" : ` for ${(lastsMs / 1000).toFixed(1)} s`}`);
    strikes.push({ kind, atMs: performance.now(), healthy: others });
    if (kind === "kill") {
      victim.since = performance.now();
      await browser.kill();
      await browser.open();
      victim.pressedMs = performance.now();
      victim.state = "joining";
      return;
    }
    if (kind === "freeze") browser.freeze();
    else browser.cut();
    await wait(lastsMs);
    if (!browser.isStopped) throw new Error(`${browser.name} was not stopped all the time`);
    victim.since = performance.now();
    victim.state = "joining";
    browser.resume();
  }

  let hostIsUp = true;
  async function killHost(): Promise<void> {
    hostIsUp = false;
    say("kill the host");
    const atMs = performance.now();
    strikes.push({ kind: "host", atMs, healthy: healthyPeers() });
    await host.stop("SIGKILL");
    host = await startHost({ run: "e2e/chaos/rounds.json", dataDir, port: Number(new URL(url).port) });
    hostIsUp = true;
    say(`the host is back, after ${((performance.now() - atMs) / 1000).toFixed(1)} s`);
  }

  try {
    for (let i = 1; i <= BROWSERS; i++) {
      const browser = new ChaosBrowser(`browser ${i}`, url, {
        journal(_, line) {
          if ("peer" in line) {
            if (volunteer.peer !== undefined && volunteer.peer !== line.peer)
              troubles.push(`${browser.name} came back as another peer`);
            volunteer.peer = line.peer;
          } else if ("entries" in line) for (const [seq, hash] of line.entries) record.saw(browser.name, seq, hash);
          else {
            record.held(browser.name, line.round, line.anchorHash);
            volunteer.anchor = line.anchorHash;
          }
        },
        trouble: (_, message) => troubles.push(`${browser.name}: ${message}`),
      });
      const volunteer: Volunteer = {
        browser,
        peer: undefined,
        state: "joining",
        since: performance.now(),
        pressedMs: undefined,
        askedMs: 0,
        fault: undefined,
        anchor: "",
      };
      volunteers.push(volunteer);
      await browser.open();
      volunteer.since = performance.now();
      volunteer.pressedMs = volunteer.since;
    }
    await until("all four contribute", () => healthy().length === BROWSERS, 120_000);

    const calmSeals = record.seals.length;
    await until("rounds without faults", () => record.seals.length > calmSeals + CALM_ROUNDS, 120_000);
    const calmMs = median(
      record.seals.slice(calmSeals).map(({ atMs }, i) => atMs - record.seals[calmSeals + i - 1].atMs),
    );
    say(
      `a fault-free round takes ${seconds(calmMs)}, joining ${seconds(median(joinMs))}: no stall over ${seconds(STALL_ROUNDS_MAX * calmMs)}`,
    );

    const fireMs = performance.now();
    const endMs = whole ? fireMs + minutes * 60_000 : Math.max(startMs + SHORT_FAULTS_END_MS, fireMs + SHORT_FAULTS_MS);
    const schedule = new Schedule(seed);
    let nextStrikeMs = fireMs;
    let nextHostMs = fireMs + HOST_KILL_EVERY_MS / 2;
    let healthyLeast = BROWSERS;
    while (performance.now() < endMs) {
      if (failure !== undefined) throw failure;
      askTheSlow();
      healthyLeast = Math.min(healthyLeast, healthy().length);
      if (performance.now() >= nextHostMs && hostIsUp) {
        nextHostMs += HOST_KILL_EVERY_MS;
        alongside(killHost());
      }
      if (performance.now() >= nextStrikeMs) {
        const fault = schedule.next(healthy());
        if (fault !== undefined) {
          nextStrikeMs = performance.now() + 2 * median(joinMs);
          alongside(strike(fault));
        }
      }
      await wait(LOOK_MS);
    }
    const calmAgainMs = performance.now();
    await Promise.all(underWay);
    await until("all four contribute again", () => healthy().length === BROWSERS, CALM_AGAIN_MS);
    const recovered = (strike: Strike) => record.sealedAfter(strike.atMs, strike.healthy, HEALTHY_MIN);
    await until("rounds go on after the last fault", () => strikes.every(recovered), CALM_AGAIN_MS);

    // Everybody stops to train and folds what there is: then all stand at one anchor.
    for (const { browser } of volunteers) await browser.pause();
    await expect
      .poll(async () => (await host.run()).state, { message: "the run rests", timeout: 60_000 })
      .toBe("resting");
    const { head } = await host.run();
    await expect
      .poll(() => volunteers.map(({ anchor }) => anchor), {
        message: "all browsers at the head's anchor",
        timeout: 30_000,
      })
      .toEqual(volunteers.map(() => head.anchorHash));
    const log = await host.log();
    await stopReading();
    await host.stop();
    const replay = JSON.parse(
      execFileSync(process.execPath, ["dist/node/main.js", "replay", "--data", dataDir, "--json"], {
        encoding: "utf8",
      }),
    ) as { ok: boolean; anchorHash: string; fault: string | null };

    const struck = (kind: Strike["kind"]) => strikes.filter((strike) => strike.kind === kind).length;
    const recoverMs = strikes.map((strike) => (recovered(strike) as Seal).atMs - strike.atMs);
    const gaps = record.gaps(fireMs, calmAgainMs).sort((a, b) => b.ms - a.ms);
    const both = (values: readonly number[]) =>
      `p50 ${seconds(quantile(values, 0.5))}, p95 ${seconds(quantile(values, 0.95))}`;
    for (const line of [
      `faults      ${faultKinds.map((kind) => `${kind} ${struck(kind)}`).join(", ")}, host killed ${struck("host")}; at least ${healthyLeast} healthy`,
      `rounds      ${head.round} sealed, ${log.filter(({ type }) => type === "commit").length} commits, ${log.length} entries, ${record.entriesSeen} seen`,
      `recovery    of the swarm ${both(recoverMs)}`,
      ...faultKinds.map(
        (kind) => `recovery    of the victim of a ${kind} ${both(victimMs[kind])} (${victimMs[kind].length})`,
      ),
      `stalls      longest ${gaps
        .slice(0, 5)
        .map(({ ms, atMs }) => `${seconds(ms)} at ${seconds(atMs - startMs)}`)
        .join(", ")}`,
      `limit       ${seconds(STALL_ROUNDS_MAX * calmMs)}, ${STALL_ROUNDS_MAX} fault-free rounds of ${seconds(calmMs)}`,
    ])
      say(line);

    expect(troubles).toEqual([]);
    expect(record.contradictions).toEqual([]);
    expect(record.lost(log)).toEqual([]);
    expect(record.strayAnchors(log, replayGenesis(log))).toEqual([]);
    expect(replay).toMatchObject({ ok: true, anchorHash: head.anchorHash });
    expect(healthyLeast).toBeGreaterThanOrEqual(HEALTHY_MIN);
    expect(gaps[0].ms, "the longest stall").toBeLessThanOrEqual(STALL_ROUNDS_MAX * calmMs);
    expect(struck("host")).toBeGreaterThanOrEqual(whole ? Math.floor(minutes) : 1);
    for (const kind of faultKinds) expect(struck(kind), kind).toBeGreaterThanOrEqual(whole ? minutes / 3 : 0);
  } finally {
    process.off("exit", endAll);
    await stopReading();
    for (const { browser } of volunteers) browser.killNow();
    await Promise.all(underWay);
    for (const { browser } of volunteers) await browser.close();
    await host.stop("SIGKILL");
    host.remove();
  }
});

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
/** The first open names the anchor that everybody began with. */
const replayGenesis = (log: readonly { type: string; baseHash?: string }[]): string =>
  log.find(({ type }) => type === "open")?.baseHash ?? "";
