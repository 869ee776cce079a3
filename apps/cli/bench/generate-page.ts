// What `bench generate` runs in the browser.
import { measureGeneration } from "./generate-measure.ts";

declare global {
  var generation: typeof measureGeneration;
}

globalThis.generation = measureGeneration;
