// WebGPU in Node, through Dawn (npm `webgpu`): as a browser has it, for the engine outside of one.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Puts Dawn's WebGPU on the global scope, and nothing else of a browser.
 * @param folder the package's own, npm's node_modules/webgpu
 * @param adapter part of the name of the adapter to take; default: Dawn's choice
 */
export async function openDawn(folder: string, adapter?: string): Promise<void> {
  const entry = pathToFileURL(join(folder, "index.js")).href;
  const { create, globals } = (await import(/* @vite-ignore */ entry)) as {
    create: (flags: readonly string[]) => GPU;
    globals: object;
  };
  Object.assign(globalThis, globals);
  const gpu = create(adapter === undefined ? [] : [`adapter=${adapter}`]);
  // Node 20 has no navigator, newer ones have one without gpu.
  if (!globalThis.navigator) Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, "gpu", { value: gpu, configurable: true });
}
