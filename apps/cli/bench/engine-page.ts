// What the engine's bench runs in the browser: Node passes the options, and gets the measurements back as JSON.
import { measureDevice, measureEngine, measureTuning, type TuningMeasurement, type TuningOptions } from "#engine";

declare global {
  var measure: typeof measureEngine;
  var measureAdapter: typeof measureDevice;
  var measureTuned: (options: TuningOptions) => Promise<TuningMeasurement>;
}

globalThis.measure = measureEngine;
globalThis.measureAdapter = measureDevice;
globalThis.measureTuned = (options) => measureTuning(options);
