// A volunteer's browser as a process of its own with a profile of its own: it donates, and can be killed, frozen and cut off.
//
//   open -> donating -> kill | freeze ... thaw | cut ... mend -> (after a kill) open again, with the same profile
//
// Cut off: its network service is stopped. Every socket of Chromium lives there, WebRTC's UDP included, so nothing goes in or out
// while the page computes on; it needs no root, and what arrives meanwhile waits or is dropped by the kernel as on a dead Wi-Fi.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type Browser, chromium, type Page } from "@playwright/test";
import { chromiumFlags, findInstalledBrowser, NO_BROWSER } from "../../apps/cli/browser.ts";
import { JOURNAL, type JournalLine } from "../../apps/web/worker/journal.ts";
import { networkServiceOf, signal, treeOf } from "./processes.ts";

/** A software adapter on a busy machine takes seconds to show the page. */
const START_MS = 60_000;
const PRESS_MS = 20_000;
const AGAIN_MS = 500;
/** A page that does not answer within this has another trouble than what it shows. */
const ASK_MS = 5_000;

export interface BrowserListener {
  /** What its page says: entries that it was sent, anchors that it held. */
  journal(browser: ChaosBrowser, line: JournalLine): void;
  /** An error in the page, or its end, that no fault of ours explains. */
  trouble(browser: ChaosBrowser, message: string): void;
}

export class ChaosBrowser {
  readonly name: string;
  readonly #url: string;
  readonly #listener: BrowserListener;
  readonly #profile = mkdtempSync(join(tmpdir(), "gossamer-chaos-"));
  #process: ChildProcess | undefined;
  #browser: Browser | undefined;
  #page: Page | undefined;
  #stopped: number[] = [];

  constructor(name: string, url: string, listener: BrowserListener) {
    this.name = name;
    this.#url = url;
    this.#listener = listener;
  }

  /** Starts the browser, opens the page and presses the button. @returns when the button is pressed */
  async open(): Promise<void> {
    const found = findInstalledBrowser();
    if (found === undefined) throw new Error(NO_BROWSER);
    const child = spawn(
      found.path,
      [
        ...chromiumFlags(),
        "--headless",
        "--no-default-browser-check",
        "--password-store=basic",
        "--use-mock-keychain",
        "--remote-debugging-port=0",
        `--user-data-dir=${this.#profile}`,
        "about:blank",
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#process = child;
    const browser = await chromium.connectOverCDP(await debuggingAddress(child));
    this.#browser = browser;
    browser.on("disconnected", () => {
      if (this.#browser === browser) this.#listener.trouble(this, "the browser ended by itself");
    });
    const context = browser.contexts()[0];
    const page = context.pages()[0] ?? (await context.newPage());
    this.#page = page;
    page.on("console", (message) => {
      const text = message.text();
      if (text.startsWith(JOURNAL)) this.#listener.journal(this, JSON.parse(text.slice(JOURNAL.length)) as JournalLine);
    });
    page.on("pageerror", (error) => this.#listener.trouble(this, error.message));
    page.on("crash", () => this.#listener.trouble(this, "the page crashed"));
    await openAndPress(page, this.#url);
  }

  /** Stops to donate, and goes on to follow the run. */
  async pause(): Promise<void> {
    await this.#page?.getByRole("button", { name: "Pause" }).click();
  }

  /** What the page says to the person, on one line. */
  async words(): Promise<string> {
    const text = await this.#page?.getByRole("main").getByRole("region").first().textContent({ timeout: ASK_MS });
    return (text ?? "").replace(/\s+/g, " ").slice(0, 120);
  }

  /** SIGKILL to all its processes: no goodbye, no unload handler, nothing flushed. */
  async kill(): Promise<void> {
    const { pid } = this.#process ?? {};
    if (pid === undefined) return;
    const child = this.#process as ChildProcess;
    const ended = child.exitCode === null && child.signalCode === null ? once(child) : Promise.resolve();
    const [browser, tree] = [this.#browser, treeOf(pid).map((process) => process.pid)];
    this.#browser = undefined;
    this.#page = undefined;
    this.#process = undefined;
    this.#stopped = [];
    signal(tree, "SIGKILL");
    await ended;
    await browser?.close().catch(() => undefined); // only our end of the line
  }

  /** SIGSTOP to all its processes, as a laptop that sleeps: its clocks go on, it does not. */
  freeze(): void {
    this.#stop(treeOf(this.#pid).map(({ pid }) => pid));
  }

  cut(): void {
    this.#stop([networkServiceOf(this.#pid).pid]);
  }

  /** Whether everything that was stopped stands still. */
  get isStopped(): boolean {
    const states = treeOf(this.#pid).filter(({ pid }) => this.#stopped.includes(pid));
    return states.length > 0 && states.every(({ state }) => state === "T");
  }

  /** Ends a freeze or a cut. */
  resume(): void {
    signal(this.#stopped, "SIGCONT");
    this.#stopped = [];
  }

  async close(): Promise<void> {
    await this.kill();
    this.#forget();
  }

  /** For the end of the test's own process, where nothing can be waited for. */
  closeNow(): void {
    this.killNow();
    this.#forget();
  }

  killNow(): void {
    const { pid } = this.#process ?? {};
    if (pid !== undefined)
      signal(
        treeOf(pid).map((process) => process.pid),
        "SIGKILL",
      );
  }

  #forget(): void {
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 3 });
  }

  get #pid(): number {
    const { pid } = this.#process ?? {};
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  #stop(pids: number[]): void {
    signal(pids, "SIGSTOP");
    this.#stopped = pids;
  }
}

/** The host may be down just now, or go down between the page and its scripts: a person would try again. */
async function openAndPress(page: Page, url: string): Promise<void> {
  const endMs = performance.now() + START_MS;
  for (;;) {
    try {
      await page.goto(url, { timeout: PRESS_MS });
      await page.getByRole("button", { name: "Donate this GPU" }).click({ timeout: PRESS_MS });
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await wait(AGAIN_MS);
    }
  }
}

const once = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once("exit", () => resolve()));

function debuggingAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const timer = setTimeout(
      () => reject(new Error(`the browser is not ready after ${START_MS} ms:\n${output}`)),
      START_MS,
    );
    child.once("exit", (code) => reject(new Error(`the browser ended with code ${code}:\n${output}`)));
    child.stderr?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const match = /DevTools listening on (ws:\/\/\S+)/.exec(output);
      if (match === null) return;
      clearTimeout(timer);
      resolve(match[1]);
    });
  });
}
