// The engine's bench in this process, through Dawn: all that a machine without a browser or a network needs.
import { measureDevice, measureEngine } from "#engine";
import { openDawn } from "#engine/dawn";
import type { BenchReport, EngineWish } from "./engine-report.ts";

/**
 * @param folder npm's `webgpu`
 * @param adapter part of the name of the adapter to take; default: Dawn's choice
 */
export async function measureInDawn(
  { shape, device, ...options }: EngineWish,
  folder: string,
  version: string,
  adapter: string | undefined,
): Promise<BenchReport> {
  await openDawn(folder, adapter);
  const measured = await measureEngine(options);
  const its = device ? { device: await measureDevice(device) } : {};
  return { shape, steps: options.steps, runtime: `Dawn ${version} in Node ${process.version}`, ...measured, ...its };
}
