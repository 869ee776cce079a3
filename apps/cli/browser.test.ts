import { chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { chromiumFlags, findInstalledBrowser } from "./browser.ts";

async function executable(...path: string[]): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "gossamer-browser-")), ...path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, "");
  await chmod(file, 0o755);
  return file;
}

describe("a browser on this machine", () => {
  test("CHROMIUM_PATH comes first, and is not replaced when it is wrong", async () => {
    const path = await executable("my-chrome");
    expect(findInstalledBrowser({ CHROMIUM_PATH: path })).toEqual({ path, source: "CHROMIUM_PATH" });
    expect(() => findInstalledBrowser({ CHROMIUM_PATH: "/nowhere" })).toThrow(/CHROMIUM_PATH is \/nowhere/);
  });

  test("then what the PATH holds", async () => {
    const path = await executable("google-chrome");
    expect(findInstalledBrowser({ PATH: dirname(path) }, "linux")).toEqual({ path, source: "installed" });
  });

  test("then the newest of Playwright's own", async () => {
    const old = await executable("chromium-900", "chrome-win", "chrome.exe");
    const root = dirname(dirname(dirname(old)));
    const path = join(root, "chromium-1100", "chrome-win", "chrome.exe");
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
    await chmod(path, 0o755);
    // as on Windows, where no test machine of ours has a browser installed
    expect(findInstalledBrowser({ PLAYWRIGHT_BROWSERS_PATH: root }, "win32")).toEqual({ path, source: "playwright" });
  });

  test("or none", () => {
    expect(findInstalledBrowser({ PLAYWRIGHT_BROWSERS_PATH: "/nowhere" }, "win32")).toBeUndefined();
  });
});

test("the sandbox is given up only for root and in CI", () => {
  expect(chromiumFlags({}, 0)).toContain("--no-sandbox");
  expect(chromiumFlags({ CI: "1" }, 1000)).toContain("--no-sandbox");
  expect(chromiumFlags({}, 1000)).not.toContain("--no-sandbox");
});
