// Two engines that are not Chromium, each by the WebDriver that Debian packages for it:
//
//   firefox()  Firefox's own WebDriver BiDi, over a WebSocket: no driver beside it
//   webkit()   WebKitWebDriver, over HTTP, with the MiniBrowser that comes with WebKitGTK, on a screen of its own (Xvfb)
//
// One small interface: open an address, evaluate an expression, press a key.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { WebSocket } from "ws";

export interface Driver {
  open(url: string): Promise<void>;
  /** The value of an expression in the page, as JSON carries it. */
  evaluate<T>(expression: string): Promise<T>;
  /** A key as the WebDriver specification names it: one of `keys`, or a character. */
  press(key: string): Promise<void>;
  resize(width: number, height: number): Promise<void>;
  close(): Promise<void>;
}

export const keys = { enter: "\uE007", home: "\uE011", right: "\uE014" } as const;

/** A browser that is cold and shares its cores has taken ten seconds. */
const START_MS = 60_000;

const pressed = (key: string) => [
  {
    type: "key",
    id: "keyboard",
    actions: [
      { type: "keyDown", value: key },
      { type: "keyUp", value: key },
    ],
  },
];

/** What a process says that matches. Rejects when it ends before, or says nothing like it in time. */
function said(child: ChildProcess, stream: Readable, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const fail = (why: string) => reject(new Error(`${child.spawnfile} ${why}:\n${text}`));
    const timer = setTimeout(() => fail("did not start in time"), START_MS);
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const match = pattern.exec(text);
      if (!match) return;
      clearTimeout(timer);
      resolve(match[1]);
    });
    child.once("error", (error) => fail(`did not start (${error.message})`));
    child.once("exit", (code) => fail(`ended with code ${code}`));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exit;
}

/** So that nothing but the page is asked for. */
const QUIET_FIREFOX = {
  "app.normandy.enabled": false,
  "app.update.disabledForTesting": true,
  "browser.shell.checkDefaultBrowser": false,
  "browser.region.network.url": "",
  "browser.safebrowsing.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.getAddons.cache.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.enabled": false,
};

export async function firefox(program: string): Promise<Driver> {
  const profile = mkdtempSync(join(tmpdir(), "gossamer-firefox-"));
  const prefs = Object.entries(QUIET_FIREFOX).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});`);
  writeFileSync(join(profile, "user.js"), prefs.join("\n"));
  const flags = ["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", profile];
  const browser = spawn(program, flags, { stdio: ["ignore", "ignore", "pipe"] });
  const socket = new WebSocket(`${await said(browser, browser.stderr, /BiDi listening on (ws:\/\/\S+)/)}/session`);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));

  const waiting = new Map<number, (answer: { result?: unknown; error?: string; message?: string }) => void>();
  socket.on("message", (data) => {
    const answer = JSON.parse(String(data));
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  let asked = 0;
  const command = <T>(method: string, params: object): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++asked;
      waiting.set(id, ({ result, error, message }) => {
        if (error === undefined) resolve(result as T);
        else reject(new Error(`${method}: ${error}: ${message}`));
      });
      socket.send(JSON.stringify({ id, method, params }));
    });

  await command("session.new", { capabilities: {} });
  const { contexts } = await command<{ contexts: { context: string }[] }>("browsingContext.getTree", {});
  const [{ context }] = contexts;
  return {
    async open(url) {
      await command("browsingContext.navigate", { context, url, wait: "complete" });
    },
    async evaluate<T>(expression: string): Promise<T> {
      const answer = await command<{ result: { value: string }; exceptionDetails?: { text: string } }>(
        "script.evaluate",
        { expression: `JSON.stringify(${expression}) ?? "null"`, target: { context }, awaitPromise: false },
      );
      if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.text);
      return JSON.parse(answer.result.value) as T;
    },
    async press(key) {
      await command("input.performActions", { context, actions: pressed(key) });
    },
    async resize(width, height) {
      await command("browsingContext.setViewport", { context, viewport: { width, height } });
    },
    async close() {
      socket.close();
      await ended(browser);
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? (address?.port ?? 0) : 0));
    });
  });

async function answers(url: string, driver: ChildProcess): Promise<void> {
  const latestMs = performance.now() + START_MS;
  for (;;) {
    const there = await fetch(url).catch(() => undefined);
    if (there?.ok) return;
    if (driver.exitCode !== null || performance.now() > latestMs) throw new Error(`${driver.spawnfile} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function webkit(program: string): Promise<Driver> {
  const screen = spawn("Xvfb", ["-displayfd", "1", "-screen", "0", "1600x1200x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const display = await said(screen, screen.stdout, /(\d+)\n/);
  const port = await freePort();
  const driver = spawn(program, [`--port=${port}`], {
    stdio: "ignore",
    env: { ...process.env, DISPLAY: `:${display}`, WAYLAND_DISPLAY: "", LANG: "en_US.UTF-8", LC_ALL: "" }, // LANG=C is no language
  });
  const base = `http://127.0.0.1:${port}`;
  await answers(`${base}/status`, driver);
  const command = async <T>(method: "POST" | "DELETE", path: string, body?: object): Promise<T> => {
    const response = await fetch(base + path, { method, body: body === undefined ? null : JSON.stringify(body) });
    const { value } = (await response.json()) as { value: T & { error?: string; message?: string } };
    if (!response.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  };
  const { sessionId } = await command<{ sessionId: string }>("POST", "/session", { capabilities: {} });
  const session = `/session/${sessionId}`;
  return {
    async open(url) {
      await command("POST", `${session}/url`, { url });
    },
    evaluate: <T>(expression: string) =>
      command<T>("POST", `${session}/execute/sync`, { script: `return ${expression}`, args: [] }),
    async press(key) {
      await command("POST", `${session}/actions`, { actions: pressed(key) });
    },
    async resize(width, height) {
      await command("POST", `${session}/window/rect`, { width, height });
    },
    async close() {
      await command("DELETE", session).catch(() => undefined); // it goes with the driver otherwise
      await ended(driver);
      await ended(screen);
    },
  };
}
