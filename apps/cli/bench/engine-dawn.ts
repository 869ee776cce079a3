// The engine's bench in this process, through Dawn: all that a machine without a browser or a network needs.
import { measureDevice, measureEngine, measureTuning } from "#engine";
import { openDawn } from "#engine/dawn";
import type { BenchReport, EngineWish } from "./engine-report.ts";
import { tuningFile } from "./tuning-file.ts";

/**
 * @param folder npm's `webgpu`
 * @param tuningPath where tuning is kept for the next time
 * @param adapter part of the name of the adapter to take; default: Dawn's choice
 */
export async function measureInDawn(
  { shape, device, tune, ...options }: EngineWish,
  folder: string,
  version: string,
  tuningPath: string,
  adapter: string | undefined,
): Promise<BenchReport> {
  await openDawn(folder, adapter);
  const measured = await measureEngine(options);
  const its = device ? { device: await measureDevice(device) } : {};
  const found = tune ? { tuning: await measureTuning(options, tuningFile(tuningPath)) } : {};
  return {
    shape,
    steps: options.steps,
    runtime: `Dawn ${version} in Node ${process.version}`,
    ...measured,
    ...its,
    ...found,
  };
}
