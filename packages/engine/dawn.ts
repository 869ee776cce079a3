// A set-up file of vitest: gives Node WebGPU through Dawn (npm `webgpu`, which DAWN_FOR_NODE names), as a browser has it.
import { createRequire } from "node:module";

const { create, globals } = createRequire(import.meta.url)(process.env.DAWN_FOR_NODE!) as {
  create: (flags: readonly string[]) => GPU;
  globals: object;
};
Object.assign(globalThis, globals);
// Node 20 has no navigator, newer ones have one without gpu.
const navigator = { gpu: create([]) };
Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
