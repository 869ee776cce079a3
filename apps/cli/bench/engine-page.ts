// What the engine's bench runs in the browser: Node passes the options, and gets the measurement back as JSON.
import { type EngineMeasurement, type MeasureOptions, measureEngine } from "#engine";

declare global {
  var measure: (options: MeasureOptions) => Promise<EngineMeasurement>;
}

globalThis.measure = measureEngine;
