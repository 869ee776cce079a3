// What the engine's bench runs in the browser: Node passes the options, and gets the measurements back as JSON.
import { measureDevice, measureEngine } from "#engine";

declare global {
  var measure: typeof measureEngine;
  var measureAdapter: typeof measureDevice;
}

globalThis.measure = measureEngine;
globalThis.measureAdapter = measureDevice;
