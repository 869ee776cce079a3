// Counts what a page asks of WebGPU, for every contestant alike: installed before its library runs.
//
//   createBuffer, destroy -> bytes     dispatchWorkgroups, submit -> counts     uncapturederror, lost -> errors
export interface Readings {
  /** Bytes of all buffers that were created. */
  readonly bytesCreated: number;
  readonly bytesLive: number; // created and not destroyed
  readonly bytesPeak: number; // the most that was live at once
  readonly dispatches: number;
  readonly submits: number;
  readonly errors: readonly string[];
}

/** An engine that fails says the same of every dispatch: the first ones are enough. */
const ERRORS_MAX = 10;

/** @returns what was counted so far */
export function installMeters(): () => Readings {
  let [bytesCreated, bytesLive, bytesPeak, dispatches, submits] = [0, 0, 0, 0, 0];
  const errors: string[] = [];
  const sizes = new WeakMap<GPUBuffer, number>();
  const note = (message: string): void => {
    if (errors.length < ERRORS_MAX) errors.push(message);
  };
  if ("GPUDevice" in globalThis) {
    before(GPUBuffer.prototype, "destroy", (buffer) => {
      bytesLive -= sizes.get(buffer) ?? 0;
      sizes.delete(buffer);
    });
    after(GPUDevice.prototype, "createBuffer", (_, buffer) => {
      sizes.set(buffer, buffer.size);
      bytesCreated += buffer.size;
      bytesLive += buffer.size;
      bytesPeak = Math.max(bytesPeak, bytesLive);
    });
    before(GPUComputePassEncoder.prototype, "dispatchWorkgroups", () => dispatches++);
    before(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", () => dispatches++);
    before(GPUQueue.prototype, "submit", () => submits++);
    after(GPUAdapter.prototype, "requestDevice", (_, made) => {
      void made.then((device) => {
        device.addEventListener("uncapturederror", ({ error }) => note(error.message));
        void device.lost.then(({ reason, message }) => reason !== "destroyed" && note(`device lost: ${message}`));
      });
    });
  }
  return () => ({ bytesCreated, bytesLive, bytesPeak, dispatches, submits, errors });
}

type Method<T, K extends keyof T> = T[K] extends (...args: infer A) => infer R ? (this: T, ...args: A) => R : never;

function before<T extends object, K extends keyof T>(prototype: T, name: K, note: (self: T) => void): void {
  const original = prototype[name] as Method<T, K>;
  prototype[name] = function (this: T, ...args: Parameters<Method<T, K>>) {
    note(this);
    return original.apply(this, args);
  } as T[K];
}

function after<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  note: (self: T, result: ReturnType<Method<T, K>>) => void,
): void {
  const original = prototype[name] as Method<T, K>;
  prototype[name] = function (this: T, ...args: Parameters<Method<T, K>>) {
    const result = original.apply(this, args) as ReturnType<Method<T, K>>;
    note(this, result);
    return result;
  } as T[K];
}
