// `gossamer bench moments`: what a step takes with moments on this machine's disk, beside one with moments in the device's memory.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ColdMeasurement, type MeasureColdOptions, measureCold } from "#engine";
import { english } from "../../web/words/format.ts";
import { openColdFile } from "../donate/cold-file.ts";
import { loadModel } from "../models.ts";
import type {} from "./moments-page.ts";
import { onAdapter } from "./on-adapter.ts";

export interface BenchMomentsOptions extends Omit<MeasureColdOptions, "model" | "moments"> {
  readonly model: string;
  readonly from: string;
  readonly moments?: MeasureColdOptions["moments"];
  readonly adapter: string;
  readonly json: boolean;
}

/** Prints through `out`; `say` hears of an installation, and of the page. @throws SpecError */
export async function benchMoments(
  { model: name, from, moments = "f32", microbatch, steps, adapter, json }: BenchMomentsOptions,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<void> {
  const { model } = await loadModel(name, from);
  const wish = { model, moments, microbatch, steps };
  const measured = await onAdapter(adapter, say, {
    entry: "apps/cli/bench/moments-page.ts",
    inPage: (page) => page.evaluate((given) => globalThis.moments(given), wish),
    inNode: () =>
      inFolder((folder) => measureCold(wish, async (bytes) => openColdFile(join(folder, "moments"), bytes))),
  });
  for (const line of json ? [JSON.stringify(measured)] : linesOf(name, measured)) out(line);
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "gossamer-moments-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function linesOf(name: string, { adapter, coldBytes, memoryBytes, stepMs, loss }: ColdMeasurement): string[] {
  const more = stepMs.outside - stepMs.inside;
  return [
    `${name} on ${adapter}; a step reads and writes ${english.bytes(coldBytes)} of moments`,
    `  in memory   ${stepMs.inside.toFixed(0).padStart(6)} ms a step, ${english.bytes(memoryBytes.inside)} of the device, loss ${loss.inside}`,
    `  on disk     ${stepMs.outside.toFixed(0).padStart(6)} ms a step, ${english.bytes(memoryBytes.outside)} of the device, loss ${loss.outside}`,
    `  more        ${more.toFixed(0).padStart(6)} ms, ${((100 * more) / stepMs.inside).toFixed(1)} %`,
  ];
}
