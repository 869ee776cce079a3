// From WebGPU's errors to ours: scopes around what is made once, and a name for what came outside of any scope.
import { GpuError, OutOfMemoryError } from "../errors.ts";

/**
 * Runs `make`, which queues its calls at once, and waits for the device's verdict. Rejects with OutOfMemoryError or GpuError: `what` begins the sentence.
 */
export async function checked<T>(device: GPUDevice, what: string, make: () => T): Promise<T> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  const made = make();
  // Both popped before anything is awaited: others push scopes of their own meanwhile.
  const [invalid, exhausted] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  const error = exhausted ?? invalid;
  if (error) throw namedError(what, error);
  return made;
}

export function namedError(what: string, error: GPUError): GpuError {
  const sentence = `${what}: ${error.message}`;
  return error instanceof GPUOutOfMemoryError ? new OutOfMemoryError(sentence) : new GpuError(sentence);
}
