// `gossamer bench engine`: the engine's speed beside the best plain matmul of the same adapter, in a headless Chromium or in Node through Dawn.
import { join } from "node:path";
import { BrowserError } from "../browser.ts";
import { findDawn } from "../dawn.ts";
import { repositoryRoot } from "../repository.ts";
import { measureInDawn } from "./engine-dawn.ts";
import { type BenchReport, type EngineWish, engineLines } from "./engine-report.ts";
import { inPage } from "./page.ts";
import { measureInPyTorch } from "./pytorch.ts";

/** Where the engine runs: in Chromium on whatever it offers, on its software adapter or on a GPU alone; in Node through Dawn, on an adapter by name. */
export type AdapterWish = "chromium" | "software" | "hardware" | "dawn" | `dawn:${string}`;

export interface BenchOptions extends EngineWish {
  readonly adapter: AdapterWish;
  /** A Python that has torch. */
  readonly pytorch?: string | undefined;
  readonly peakFlopsPerSecond?: number | undefined;
  readonly json: boolean;
}

/** Measures and prints through `out` (a line at a time): a table for people, or one JSON object. `say` hears of an installation. */
export async function benchEngine(
  { adapter, json, pytorch, peakFlopsPerSecond, ...wish }: BenchOptions,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<BenchReport> {
  const measured = adapter.startsWith("dawn")
    ? await inDawn(wish, adapter.slice("dawn:".length) || undefined, say)
    : await inChromium(wish, adapter, json ? say : out);
  const scripts = join(repositoryRoot(), "apps/cli/bench");
  const its = pytorch === undefined ? {} : { pytorch: await measureInPyTorch(pytorch, scripts, wish) };
  const report = { ...measured, ...its, ...(peakFlopsPerSecond !== undefined && { peakFlopsPerSecond }) };
  for (const line of json ? [JSON.stringify(report)] : engineLines(report)) out(line);
  return report;
}

const SOFTWARE_FLAGS = ["--use-webgpu-adapter=swiftshader"];

async function inChromium(wish: EngineWish, adapter: AdapterWish, say: (line: string) => void): Promise<BenchReport> {
  const { shape, device, tune, ...options } = wish;
  return inPage(
    "apps/cli/bench/engine-page.ts",
    say,
    async (page, browser) => {
      const software = await page.evaluate(async () => {
        const found = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
        return found?.info.isFallbackAdapter ?? true;
      });
      if (adapter === "hardware" && wish.backend !== "wasm" && software)
        throw new BrowserError(
          "This Chromium offers no GPU, only a software adapter at most: see chrome://gpu there, or take --adapter dawn.",
        );
      const measured = await page.evaluate((given) => globalThis.measure(given), options);
      const its = device ? { device: await page.evaluate((given) => globalThis.measureAdapter(given), device) } : {};
      const found = tune ? { tuning: await page.evaluate((given) => globalThis.measureTuned(given), options) } : {};
      return { shape, steps: wish.steps, runtime: `Chromium ${browser.version()}`, ...measured, ...its, ...found };
    },
    adapter === "software" ? SOFTWARE_FLAGS : [],
  );
}

async function inDawn(wish: EngineWish, name: string | undefined, say: (line: string) => void): Promise<BenchReport> {
  const { folder, version } = await findDawn(say);
  return measureInDawn(wish, folder, version, join(repositoryRoot(), ".cache/tuning.json"), name);
}
