// One script of the repository's sources, built for a bench in a browser, and a headless Chromium that runs it.
//
//   entry --vite--> one script  --loopback--> Chromium
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { chromiumFlags, findBrowser } from "../browser.ts";

/** @param entry the page's module, from the repository's root  @returns it and everything that it imports, as one script */
export async function buildPage(entry: string): Promise<string> {
  const { build } = await import("vite");
  const root = repositoryRoot();
  const result = await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    build: {
      write: false,
      minify: false,
      target: "es2022",
      rolldownOptions: {
        input: join(root, entry),
        preserveEntrySignatures: false,
        output: { codeSplitting: false },
      },
    },
  });
  const output = Array.isArray(result) ? result[0] : result;
  const chunk = "output" in output ? output.output.find((part) => part.type === "chunk" && part.isEntry) : undefined;
  if (chunk?.type !== "chunk") throw new Error("the bench page did not build into one script");
  return chunk.code;
}

/** Runs `use` in a page that has run the module, and closes all of it. Console lines and errors of the page go to `out`. */
export async function inPage<T>(
  entry: string,
  out: (line: string) => void,
  use: (page: Page, browser: Browser) => Promise<T>,
): Promise<T> {
  const script = await buildPage(entry);
  const server = createServer((request, response) => {
    const isScript = request.url === "/bench.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html; charset=utf-8");
    response.end(
      isScript ? script : '<!doctype html><title>bench</title><script type="module" src="/bench.js"></script>',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { chromium } = await import("playwright-core");
    const { path } = await findBrowser();
    const browser = await chromium.launch({ executablePath: path, args: chromiumFlags() });
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

/** This file runs from the sources and from a bundle at another depth. */
export function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package-lock.json"))) {
    if (folder === dirname(folder)) throw new Error("the bench needs the repository: no package-lock.json above it");
    folder = dirname(folder);
  }
  return folder;
}
