// What `bench memory` runs in the browser: one engine, with every buffer and every submission of the page counted.
import { createEngine, type Moments } from "#engine";
import type { ModelShape } from "#wire";

export interface MemoryWish {
  readonly model: ModelShape;
  readonly microbatch: number;
  readonly recomputedLayers: number;
  readonly moments: Moments;
  /** Also train one step. */
  readonly step: boolean;
}

export interface MemoryMeasurement {
  readonly adapter: string;
  /** What the engine said that it would take. */
  readonly saidBytes: number;
  /** The most bytes of buffers that lived at once, by GPUDevice.createBuffer. */
  readonly peakBytes: number;
  readonly step?: { readonly ms: number; readonly loss: number; readonly gradNorm: number; readonly submits: number };
}

declare global {
  /** Starts what comes with any engine: the adapter, and compiled kernels of that head size. */
  var warmUp: (wish: MemoryWish) => Promise<void>;
  var measureMemory: (wish: MemoryWish) => Promise<MemoryMeasurement>;
}

const STEP = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
/** A step of a large model takes many minutes on a software adapter: so often it says how far it is. */
const PROGRESS_MS = 30_000;

let [live, peak, submitted, done] = [0, 0, 0, 0];

function count(): void {
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  const { submit } = GPUQueue.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    live += descriptor.size;
    peak = Math.max(peak, live);
    return createBuffer.call(this, descriptor);
  };
  GPUBuffer.prototype.destroy = function () {
    live -= this.size;
    return destroy.call(this);
  };
  GPUQueue.prototype.submit = function (commands) {
    submit.call(this, commands);
    submitted++;
    this.onSubmittedWorkDone().then(
      () => done++,
      () => {},
    );
    return undefined;
  };
}

globalThis.warmUp = async ({ model, moments }) => {
  const headSize = model.dModel / model.heads;
  const small = { dModel: headSize, heads: 1, kvHeads: 1, layers: 1, dFfn: 4, vocabSize: 4, contextLength: 4 };
  const engine = await createEngine({ model: { ...model, ...small }, microbatch: 1, moments });
  await engine.step([new Uint16Array(5)], STEP);
  engine.destroy();
};

globalThis.measureMemory = async ({ model, microbatch, recomputedLayers, moments, step }) => {
  count();
  const engine = await createEngine({ model, microbatch, recomputedLayers, moments });
  const { vendor, architecture, description, isFallback } = engine.adapter;
  const adapter = `${[vendor, architecture, description].filter(Boolean).join(" ")}${isFallback ? " (software)" : ""}`;
  let stepped: MemoryMeasurement["step"];
  if (step) {
    engine.load((await engine.read()).map((_, i) => 0.02 * Math.sin(12.9898 * i + 78.233 * Math.sin(i))));
    const ids = Uint16Array.from(
      { length: microbatch * (model.contextLength + 1) },
      (_, i) => (i * 7919) % model.vocabSize,
    );
    const before = performance.now();
    submitted = done = 0;
    const progress = setInterval(() => {
      const seconds = ((performance.now() - before) / 1000).toFixed(0);
      console.log(`${seconds} s: ${done} of ${submitted} submissions done`);
    }, PROGRESS_MS);
    const { loss, gradNorm } = await engine.step([ids], STEP);
    clearInterval(progress);
    stepped = { ms: performance.now() - before, loss, gradNorm, submits: submitted };
  }
  await engine.read();
  engine.destroy();
  return { adapter, saidBytes: engine.allocatedBytes, peakBytes: peak, ...(stepped && { step: stepped }) };
};
