// What `bench moments` runs in the browser.
import type { ColdMeasurement, MeasureColdOptions } from "#engine";

declare global {
  var moments: (options: MeasureColdOptions) => Promise<ColdMeasurement>;
}

globalThis.moments = (options) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./moments-worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { measured, error } }) => (measured ? resolve(measured) : reject(new Error(error)));
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(options);
  });
