// What every end-to-end test needs: a host of its own on loopback, and donors in browser processes of their own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type BrowserContextOptions, chromium, expect, type Page, test } from "@playwright/test";
import { chromiumFlags, findInstalledBrowser, NO_BROWSER } from "../apps/cli/browser.ts";
import { countOfAttesters, type LogEntry, type RunDetail, type RunDraft } from "../packages/wire/index.ts";

export const SHORT_ROUNDS = "e2e/short-rounds.json";

/** A file with the spec of short rounds, but for what `change` says. */
export function specLike(change: (spec: RunDraft) => Partial<RunDraft>): { file: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "gossamer-spec-"));
  const file = join(dir, "run.json");
  const spec = JSON.parse(readFileSync(SHORT_ROUNDS, "utf8")) as RunDraft;
  const corpus = { ...spec.corpus, path: resolve("package-lock.json") }; // the same file, from another folder
  writeFileSync(file, JSON.stringify({ ...spec, corpus, ...change(spec) }));
  return { file, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export const secondsSince = (startMs: number): number => (performance.now() - startMs) / 1000;

/** The duty of one that is there first: it leaves the cores to whoever starts beside it. */
export const STEADY_DUTY = 0.3;

export interface TestHost {
  readonly url: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Graceful stop; the data directory stays until `remove`. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  run(): Promise<RunDetail>;
  log(): Promise<LogEntry[]>;
  /** Of a stopped host's directory: whether `gossamer replay` comes to what was sealed. */
  replays(): boolean;
  remove(): void;
}

export interface HostOptions {
  readonly run?: string;
  readonly dataDir?: string;
  readonly port?: number;
  /** How many must be ready before the first round. */
  readonly waitFor?: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Words that go before the command: into a network namespace, say. */
  readonly enter?: readonly string[];
}

/** Starts `gossamer host` and waits until it says where it listens. */
export async function startHost({
  run = "nano",
  dataDir,
  port = 0,
  waitFor = 1,
  args = [],
  env = {},
  enter = [],
}: HostOptions = {}): Promise<TestHost> {
  const dir = dataDir ?? mkdtempSync(join(tmpdir(), "gossamer-e2e-"));
  const [command, ...words] = [...enter, process.execPath];
  const child = spawn(
    command,
    [
      ...words,
      "dist/node/main.js",
      "host",
      "--run",
      run,
      "--port",
      String(port),
      "--data",
      dir,
      "--page",
      "dist/web-test",
      "--wait-for",
      String(waitFor),
      ...args,
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } },
  );
  let output = "";
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const match = /(?:http|ws)(s?:\/\/(?:localhost|127\.0\.0\.1):\d+)/.exec(output);
      if (match) resolve(`http${match[1]}`);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.once("exit", (code) => reject(new Error(`the host ended with code ${code}:\n${output}`)));
  });
  return {
    url,
    dataDir: dir,
    process: child,
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill(signal);
      await ended;
    },
    run: () => getJson<RunDetail>(`${url}/api/runs/default`),
    log: () => logOf(url),
    replays: () => replays(dir),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** A host for all tests of a file. */
export function hostForAll(options: HostOptions = {}): () => TestHost {
  let host: TestHost;
  test.beforeAll(async () => {
    host = await startHost(options);
  });
  test.afterAll(async () => {
    await host.stop();
    host.remove();
  });
  return () => host;
}

async function getJson<T>(address: string): Promise<T> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`GET ${address}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** The whole log of the host at that address. */
export async function logOf(url: string): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (;;) {
    const page = await getJson<LogEntry[]>(`${url}/api/runs/default/log?raw=1&from=${entries.length}&limit=1000`);
    if (page.length === 0) return entries;
    entries.push(...page);
  }
}

/** Whether `gossamer replay` comes to what was sealed. */
export function replays(data: string): boolean {
  const words = ["dist/node/main.js", "replay", "--data", data, "--json"];
  return (JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" })) as { ok: boolean }).ok;
}

export interface TestDonor {
  readonly page: Page;
  /** Presses the button. */
  donate(): Promise<void>;
  close(): Promise<void>;
  /** SIGKILL to the whole browser: no goodbye, no unload handler. */
  kill(): void;
}

export interface DonorOptions {
  readonly press?: boolean;
  /** The part of the time in which it trains, all of it unless given. */
  readonly duty?: number;
  readonly flags?: readonly string[];
  /** Another program than the browser that was found. */
  readonly browser?: string;
  readonly path?: string;
  readonly context?: BrowserContextOptions;
}

/** A browser process of its own, as a second volunteer would have. */
export async function openDonor(
  url: string,
  { press = true, duty = 1, flags = chromiumFlags(), path = "/", context = {}, browser: program }: DonorOptions = {},
): Promise<TestDonor> {
  const executablePath = program ?? findInstalledBrowser()?.path;
  if (executablePath === undefined) throw new Error(NO_BROWSER);
  const server = await chromium.launchServer({ executablePath, args: [...flags] });
  const browser = await chromium.connect(server.wsEndpoint());
  const page = await browser.newPage(context);
  await page.goto(url + path);
  const donor: TestDonor = {
    page,
    async donate() {
      await page.getByRole("button", { name: /^Donate this (GPU|processor)$/ }).click();
      if (duty === 1) return;
      await page.waitForFunction(() => window.__gossamer !== undefined);
      await page.evaluate((share) => window.__gossamer?.setDuty(share), duty);
    },
    close: () => server.close(),
    kill: () => void server.process().kill("SIGKILL"),
  };
  if (press) await donor.donate();
  return donor;
}

/** Both attested to at least three rounds, and the log is as it should be. */
export async function expectOneAnchor(host: TestHost, donors: readonly TestDonor[]): Promise<LogEntry[]> {
  const log = await expectReplay(host, donors);
  const seals = log.filter((entry) => entry.type === "seal");
  expect(seals.filter(({ attesters }) => countOfAttesters(attesters) === 2).length).toBeGreaterThanOrEqual(3);
  return log;
}

/** Nobody was refused or out of step; then all leave, the host stops, and its log replays to what was sealed. */
export async function expectReplay(host: TestHost, donors: readonly TestDonor[]): Promise<LogEntry[]> {
  const log = await host.log();
  const seals = log.filter((entry) => entry.type === "seal");
  expect(seals.flatMap(({ refused }) => refused)).toEqual([]);
  for (const { page } of donors) await expect(page.getByText("Desyncs repaired")).toHaveCount(0);
  await Promise.all(donors.map((donor) => donor.close()));
  await host.stop();
  expect(host.replays()).toBe(true);
  return log;
}

/** Waits until the host's public view of the run satisfies `condition`; the message says what was awaited. */
export async function untilRun(
  host: TestHost,
  what: string,
  condition: (run: RunDetail) => boolean,
  timeout = 120_000,
): Promise<RunDetail> {
  let last: RunDetail | undefined;
  await expect
    .poll(
      async () => {
        last = await host.run();
        return condition(last);
      },
      { message: what, timeout, intervals: [200] },
    )
    .toBe(true);
  return last as RunDetail;
}
