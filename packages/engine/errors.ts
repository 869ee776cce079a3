// How the engine fails: every rejection of createEngine(), step(), evaluate() and read() is one of these (or a RangeError for a wrong argument).

/** The device refused work: a validation error, an internal error or too little memory. The engine is not usable any more. */
export class GpuError extends Error {
  override readonly name: string = "GpuError";
}

/** This machine cannot hold the model. The message gives the number that does fit. */
export class ModelTooLargeError extends GpuError {
  override readonly name = "ModelTooLargeError";
}

/** The device's memory is used up, by this engine or by others: what is legal did not fit. Fewer sequences per microbatch may. */
export class OutOfMemoryError extends GpuError {
  override readonly name = "OutOfMemoryError";
}

/** In mixed precision, step after step was skipped. The parameters are those before the first of them, and the engine may go on. */
export class DivergedError extends Error {
  override readonly name = "DivergedError";
  constructor(steps: number) {
    super(
      `${steps} steps in a row had numbers too large for f16, and changed nothing: train in f32 (precision "f32"), or with a smaller learning rate.`,
    );
  }
}

/** The device is gone (driver reset, GPU process killed, tab in the background for too long, a thread that failed, or destroy()). */
export class DeviceLostError extends Error {
  override readonly name = "DeviceLostError";
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(`The device was lost (${reason}): ${message || "no further detail"}. Make a new engine to go on.`);
    this.reason = reason;
  }
}

/** The engine is done, and with it what was measured beside it: nobody's fault. */
export class TuningOverError extends Error {
  override readonly name = "TuningOverError";
}
