// Four browsers, one host, and what befalls them: carries faults out for real, and knows who is healthy.
//
//   open -> joining -> (named in a sealed commit) healthy -> strike -> struck -> joining -> healthy ...
import { setTimeout as wait } from "node:timers/promises";
import type { PeerId } from "../../packages/wire/index.ts";
import { startHost, type TestHost } from "../support.ts";
import { ChaosBrowser } from "./browser.ts";
import { followRun } from "./reader.ts";
import { RunRecord, type Seal } from "./record.ts";
import { type Fault, type FaultKind, HEALTHY_MIN } from "./schedule.ts";

const RUN = "e2e/chaos/rounds.json";
/** How often the run is looked at. */
const LOOK_MS = 50;
/** Longer than this to come back, and the page is asked what it says about that. */
const LONG_MS = 30_000;

export interface Volunteer {
  readonly browser: ChaosBrowser;
  peer: PeerId | undefined;
  /** joining: not named in a commit since `sinceMs`. struck: under a fault, or its browser is being started again. */
  state: "joining" | "healthy" | "struck";
  sinceMs: number;
  /** When its button was last pressed; undefined once that has led to a contribution. */
  pressedMs: number | undefined;
  /** When it was last asked why it takes so long. */
  askedMs: number;
  /** The fault that it is recovering from, or has recovered from. */
  fault: FaultKind | undefined;
  anchor: string;
}

/** One fault that really struck, a browser's or the host's, and who was healthy then. */
export interface Strike {
  readonly kind: FaultKind | "host";
  readonly atMs: number;
  readonly healthy: readonly PeerId[];
}

export class Lab {
  host: TestHost;
  hostIsUp = true;
  readonly volunteers: Volunteer[] = [];
  readonly strikes: Strike[] = [];
  /** What went wrong without a fault of ours. */
  readonly troubles: string[] = [];
  /** From the button to the first sealed contribution, also of those who came back after a kill. */
  readonly joinMs: number[] = [];
  /** From a kill, or from the end of a freeze or a cut, to the next sealed contribution. */
  readonly victimMs: Record<FaultKind, number[]> = { kill: [], freeze: [], cut: [] };
  readonly record = new RunRecord((seal) => this.#sealed(seal));
  readonly startMs = performance.now();
  readonly #port: number;
  readonly #stopReading: () => Promise<void>;
  /** What the schedule does not wait for. */
  readonly #underWay = new Set<Promise<void>>();
  #failure: unknown;

  static async start(): Promise<Lab> {
    return new Lab(await startHost({ run: RUN }));
  }

  private constructor(host: TestHost) {
    this.host = host;
    this.#port = Number(new URL(host.url).port);
    this.#stopReading = followRun(host.url, this.record);
    process.once("exit", this.#endAll); // nothing may outlive the test's own process, stopped browsers least of all
  }

  say(line: string): void {
    console.log(`${((performance.now() - this.startMs) / 1000).toFixed(1).padStart(7)} s  ${line}`);
  }

  healthy(): Volunteer[] {
    return this.volunteers.filter(({ state }) => state === "healthy");
  }

  async open(name: string): Promise<void> {
    const { url } = this.host;
    const browser = new ChaosBrowser(name, url, {
      journal: (_, line) => {
        if ("peer" in line) {
          if (volunteer.peer !== undefined && volunteer.peer !== line.peer)
            this.troubles.push(`${name} came back as another peer`);
          volunteer.peer = line.peer;
        } else if ("entries" in line) for (const [seq, hash] of line.entries) this.record.saw(name, seq, hash);
        else {
          this.record.held(name, line.round, line.anchorHash);
          volunteer.anchor = line.anchorHash;
        }
      },
      trouble: (_, message) => this.troubles.push(`${name}: ${message}`),
    });
    const volunteer: Volunteer = {
      browser,
      peer: undefined,
      state: "joining",
      sinceMs: performance.now(),
      pressedMs: undefined,
      askedMs: 0,
      fault: undefined,
      anchor: "",
    };
    this.volunteers.push(volunteer);
    await browser.open();
    volunteer.pressedMs = volunteer.sinceMs = performance.now();
  }

  /** Begins a fault; what follows it goes on by itself. */
  strike(fault: Fault<Volunteer>): void {
    this.#alongside(this.#strike(fault));
  }

  /** SIGKILL, and a start with the same data and port at once. */
  killHost(): void {
    this.#alongside(this.#killHost());
  }

  /** Looks at the run until it is so. */
  async until(what: string, isSo: () => boolean, withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (!isSo()) {
      if (performance.now() > endMs) throw new Error(`not within ${withinMs} ms: ${what}`);
      await this.look();
    }
  }

  /** A moment passes. @throws what went wrong meanwhile */
  async look(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#askTheSlow();
    await wait(LOOK_MS);
  }

  /** Everything that was begun has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** The first seal after it that names a healthy quorum: two who were not under a fault. */
  recovery({ atMs, healthy }: Strike): Seal | undefined {
    return this.record.sealedAfter(atMs, healthy, HEALTHY_MIN);
  }

  async stopReading(): Promise<void> {
    await this.#stopReading();
  }

  /** Ends every process that it started, whatever state it is in. */
  async close(): Promise<void> {
    process.off("exit", this.#endAll);
    await this.#stopReading();
    for (const { browser } of this.volunteers) browser.killNow();
    await this.settled();
    for (const { browser } of this.volunteers) await browser.close();
    await this.host.stop("SIGKILL");
    this.host.remove();
  }

  readonly #endAll = (): void => {
    this.host.process.kill("SIGKILL");
    for (const { browser } of this.volunteers) browser.closeNow();
    this.host.remove();
  };

  #alongside(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  async #strike({ kind, victim, lastsMs }: Fault<Volunteer>): Promise<void> {
    const { browser } = victim;
    victim.state = "struck";
    victim.fault = kind;
    this.say(`${kind} ${browser.name}${kind === "kill" ? "" : ` for ${seconds(lastsMs)}`}`);
    victim.sinceMs = performance.now();
    this.#struck(kind);
    if (kind === "kill") {
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
    victim.sinceMs = performance.now();
    victim.state = "joining";
    browser.resume();
  }

  async #killHost(): Promise<void> {
    this.hostIsUp = false;
    this.say("kill the host");
    const atMs = performance.now();
    this.#struck("host");
    await this.host.stop("SIGKILL");
    this.host = await startHost({ run: RUN, dataDir: this.host.dataDir, port: this.#port });
    this.hostIsUp = true;
    this.say(`the host is back, after ${seconds(performance.now() - atMs)}`);
  }

  #struck(kind: Strike["kind"]): void {
    const healthy = this.healthy().map(({ peer }) => peer as PeerId);
    this.strikes.push({ kind, atMs: performance.now(), healthy });
  }

  #sealed({ atMs, openedMs, contributors }: Seal): void {
    for (const volunteer of this.volunteers) {
      const { state, peer, sinceMs, fault, browser } = volunteer;
      if (state !== "joining" || peer === undefined || !contributors.includes(peer)) continue;
      if (fault === "kill" && openedMs < (volunteer.pressedMs ?? 0)) continue; // what it had offered before it was killed
      volunteer.state = "healthy";
      if (volunteer.pressedMs !== undefined) this.joinMs.push(atMs - volunteer.pressedMs);
      volunteer.pressedMs = undefined;
      if (fault !== undefined) this.victimMs[fault].push(atMs - sinceMs);
      this.say(`${browser.name} contributes, ${seconds(atMs - sinceMs)} after ${fault ?? "the button"}`);
    }
  }

  #askTheSlow(): void {
    const now = performance.now();
    for (const volunteer of this.volunteers) {
      const { state, sinceMs, askedMs, browser } = volunteer;
      if (state !== "joining" || now < sinceMs + LONG_MS || now < askedMs + LONG_MS) continue;
      volunteer.askedMs = now;
      const words = browser.words().catch(() => "nothing");
      this.#alongside(
        words.then((text) => this.say(`${browser.name} is not back after ${seconds(now - sinceMs)}: ${text}`)),
      );
    }
  }
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
