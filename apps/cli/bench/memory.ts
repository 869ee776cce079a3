// `gossamer bench memory`: is what the planner predicts what the engine takes? In a headless Chromium: bytes of the buffers that it
// creates, and on Linux the resident memory of Chromium's GPU process, where a software adapter keeps them.
import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { planModel } from "#engine";
import { parameterTable } from "#outer";
import { english } from "../../web/words/format.ts";
import { loadModel, modelLine } from "../models.ts";
import { type PlanCommandOptions, planLines } from "../plan.ts";
import type { MemoryMeasurement } from "./memory-page.ts";
import { inPage } from "./page.ts";

/** With memoryGb the prediction must be within it; as many layers are recomputed as that takes. */
export interface BenchMemoryOptions extends Omit<PlanCommandOptions, "precision"> {
  readonly step: boolean;
}

/** How far a prediction may be from what was created. */
const TOLERANCE = 0.1;

export interface MemoryReport extends MemoryMeasurement {
  readonly predictedBytes: number;
  readonly recomputedLayers: number;
  /** Growth of the GPU process's resident memory at its most; only once a step has touched every buffer does it say something. */
  readonly residentBytes?: number;
  readonly passed: boolean;
}

/** Prints through `out`. @throws SpecError */
export async function benchMemory(options: BenchMemoryOptions, out: (line: string) => void): Promise<MemoryReport> {
  const named = await loadModel(options.run, options.from);
  const { model } = named;
  const { moments = "f32", microbatch = named.microbatch } = options;
  const memoryBytes = options.memoryGb === undefined ? undefined : options.memoryGb * 1e9;
  const plan = planModel({ model, microbatch, memoryBytes, moments, recomputedLayers: options.recomputedLayers });
  if (!options.json) {
    out(`model         ${modelLine(named, parameterTable(model).length)}`);
    for (const line of planLines(model.layers, plan)) out(line);
  }
  const { recomputedLayers } = plan;
  const page = "apps/cli/bench/memory-page.ts";
  const { measured, residentBytes } = await inPage(page, options.json ? () => {} : out, async (page, browser) => {
    const wish = { model, microbatch, recomputedLayers, moments, step: options.step };
    await page.evaluate((given) => globalThis.warmUp(given), wish);
    const resident = await ResidentMemory.of(browser);
    const measured = await page.evaluate((given) => globalThis.measureMemory(given), wish);
    return { measured, residentBytes: await resident?.end() };
  });
  const { totalBytes: predictedBytes, problem } = plan;
  const near = Math.abs(measured.peakBytes / predictedBytes - 1) <= TOLERANCE;
  const passed = near && problem === undefined && measured.peakBytes <= (memoryBytes ?? Number.POSITIVE_INFINITY);
  const resident = options.step && residentBytes !== undefined ? { residentBytes } : {};
  const report: MemoryReport = { ...measured, predictedBytes, recomputedLayers, ...resident, passed };
  for (const line of options.json ? [JSON.stringify(report)] : lines(report)) out(line);
  return report;
}

function lines({ adapter, peakBytes, predictedBytes, residentBytes, step, passed }: MemoryReport): string[] {
  const beside = (size: number): string =>
    `${english.bytes(size)}, ${(size / predictedBytes).toFixed(3)} of the prediction`;
  return [
    `adapter       ${adapter}`,
    `created       ${beside(peakBytes)} (buffers that lived at once, ${peakBytes.toLocaleString("en")} bytes)`,
    ...(residentBytes === undefined ? [] : [`resident      ${beside(residentBytes)} (growth of the GPU process)`]),
    ...(step
      ? [
          `step          ${(step.ms / 1000).toFixed(1)} s, ${step.submits} submissions, loss ${step.loss.toFixed(3)}, gradient norm ${step.gradNorm.toFixed(3)}`,
        ]
      : []),
    passed ? "as predicted" : "NOT as predicted, or more than was allowed",
  ];
}

const SAMPLE_MS = 100;

/** The most that Chromium's GPU process held beyond what it had at first. Linux only. */
class ResidentMemory {
  readonly #path: string;
  readonly #start: number;
  readonly #timer: NodeJS.Timeout;
  #most = 0;

  private constructor(path: string, start: number) {
    this.#path = path;
    this.#start = start;
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_MS);
  }

  static async of(browser: Browser): Promise<ResidentMemory | undefined> {
    if (process.platform !== "linux") return undefined;
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    const gpu = processInfo.find(({ type }) => type === "GPU");
    if (!gpu) return undefined;
    const path = `/proc/${gpu.id}/status`;
    return new ResidentMemory(path, (await residentBytes(path)) ?? 0);
  }

  async end(): Promise<number> {
    clearInterval(this.#timer);
    await this.#sample();
    return this.#most;
  }

  async #sample(): Promise<void> {
    const now = await residentBytes(this.#path);
    if (now !== undefined) this.#most = Math.max(this.#most, now - this.#start);
  }
}

async function residentBytes(path: string): Promise<number | undefined> {
  const status = await readFile(path, "utf8").catch(() => "");
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
