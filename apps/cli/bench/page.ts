// One script of the repository's sources, built for a bench in a browser, and a headless Chromium that runs it.
//
//   entry --vite--> one script  --loopback--> Chromium
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { chromiumFlags, findBrowser } from "../browser.ts";
import { repositoryRoot } from "../repository.ts";

/** As the host answers: threads may share memory. */
const ISOLATION = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

interface BuiltPage {
  /** The page's module and everything that it imports. */
  readonly script: string;
  /** Workers that it starts, by path. */
  readonly workers: ReadonlyMap<string, string>;
}

/** @param entry the page's module, from the repository's root */
export async function buildPage(entry: string): Promise<BuiltPage> {
  const { build } = await import("vite");
  const root = repositoryRoot();
  const result = await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    worker: { format: "es" },
    build: {
      write: false,
      assetsInlineLimit: 0, // a worker is a file of its own
      minify: false,
      target: "es2022",
      rolldownOptions: {
        input: join(root, entry),
        preserveEntrySignatures: false,
        output: { codeSplitting: false },
      },
    },
  });
  const parts = partsOf(result);
  const workers = parts.flatMap((part) => (part.type === "asset" ? [[`/${part.fileName}`, String(part.source)]] : []));
  return { script: entryOf(parts), workers: new Map(workers as [string, string][]) };
}

type BuildResult = Awaited<ReturnType<typeof import("vite").build>>;
type Parts = Extract<BuildResult, { output: unknown }>["output"];

/** What a build that writes nothing and watches nothing has made. */
export function partsOf(result: BuildResult): Parts {
  const output = Array.isArray(result) ? result[0] : result;
  if (!("output" in output)) throw new Error("the bench's scripts were watched, not built");
  return output.output;
}

/** The one script that was asked for. */
export function entryOf(parts: Parts): string {
  const chunk = parts.find((part) => part.type === "chunk" && part.isEntry);
  if (chunk?.type !== "chunk") throw new Error("the bench did not build into one script");
  return chunk.code;
}

/** Runs `use` in a page that has run the module, and closes all of it. Console lines and errors of the page go to `out`. */
export async function inPage<T>(
  entry: string,
  out: (line: string) => void,
  use: (page: Page, browser: Browser) => Promise<T>,
  flags: readonly string[] = [],
): Promise<T> {
  const { script, workers } = await buildPage(entry);
  const server = createServer((request, response) => {
    const code = request.url === "/bench.js" ? script : workers.get(request.url ?? "");
    response.writeHead(200, {
      "content-type": code === undefined ? "text/html; charset=utf-8" : "text/javascript",
      ...ISOLATION,
    });
    response.end(code ?? '<!doctype html><title>bench</title><script type="module" src="/bench.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { chromium } = await import("playwright-core");
    const { path } = await findBrowser();
    const browser = await chromium.launch({ executablePath: path, args: [...chromiumFlags(), ...flags] });
    try {
      const page = await browser.newPage();
      page.on("pageerror", (error) => out(`page: ${error.message}`));
      page.on("console", (message) => out(message.text()));
      await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
      return await use(page, browser);
    } finally {
      await browser.close();
    }
  } finally {
    server.close();
  }
}
