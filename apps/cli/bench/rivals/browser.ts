// The contestants' pages in headless Chromium, from one loopback server with the headers that threads in WebAssembly need.
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { BrowserError, chromiumFlags, findBrowser } from "../../browser.ts";
import { buildPages } from "./build.ts";
import type { PageName } from "./field.ts";
import type {} from "./page.ts";
import { givenOf, SHAPES, type ShapeName } from "./shapes.ts";

const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cache-Control": "no-store",
};

const TFJS_WASM = "node_modules/@tensorflow/tfjs-backend-wasm/dist";

/** @param packages the folder where the rivals are installed */
export async function serveContestants(names: readonly PageName[], packages: string): Promise<Server> {
  const entries = Object.fromEntries(names.map((name) => [name, `apps/cli/bench/rivals/page-${name}.ts`]));
  const scripts = await buildPages(entries, packages);
  const server = createServer(async (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const path = new URL(request.url ?? "/", "http://localhost").pathname.slice(1);
    const answer = await answerTo(path, scripts, packages);
    if (!answer) return response.writeHead(404).end();
    response.setHeader("content-type", answer.type);
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function answerTo(path: string, scripts: ReadonlyMap<string, string | Uint8Array>, packages: string) {
  const [first, second, third] = path.split("/");
  const script = scripts.get(path);
  if (script !== undefined)
    return { type: path.endsWith(".wasm") ? "application/wasm" : "text/javascript", body: script };
  if (first === "page") {
    const body = `<!doctype html><title>${second}</title><script type="module" src="/${second}.js"></script>`;
    return { type: "text/html; charset=utf-8", body };
  }
  if (first === "given" && Object.hasOwn(SHAPES, second)) {
    const { weights, ids } = givenOf(SHAPES[second as ShapeName]);
    return { type: "application/octet-stream", body: Buffer.from((third === "ids" ? ids : weights).buffer) };
  }
  if (first === "tfjs-wasm" && /^[a-z-]+\.wasm$/.test(second ?? "")) {
    const body = await readFile(join(packages, TFJS_WASM, second)).catch(() => undefined);
    return body && { type: "application/wasm", body };
  }
  return undefined;
}

/** A browser with a profile of its own, which goes with it: nothing is cached from one to the next. */
export async function openBrowser(): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  const { path } = await findBrowser();
  return chromium.launch({ executablePath: path, args: chromiumFlags() });
}

/** What WebGPU runs on in this browser. */
export async function adapterOf(browser: Browser, server: Server): Promise<string> {
  const page = await openPage(browser, server, "ours-webgpu");
  const name = await page.evaluate(async () => {
    const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return undefined;
    const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
    return [vendor, architecture, description, isFallbackAdapter ? "(software)" : ""].filter(Boolean).join(" ");
  });
  if (name === undefined) throw new BrowserError("This Chromium offers no WebGPU adapter. Name another: CHROMIUM_PATH");
  return name;
}

export async function openPage(browser: Browser, server: Server, name: PageName): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(0); // a rival's first step takes as long as it takes
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/page/${name}`);
  await page.waitForFunction(() => "stand" in globalThis);
  if (errors.length > 0) throw new Error(`${name}: ${errors.join("; ")}`);
  return page;
}
