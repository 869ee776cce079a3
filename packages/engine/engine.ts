// The engine's interface: one transformer that trains on one device. The worker of a peer drives it, the bench and the tests too.
//
//   load(flat parameters) -> step(microbatches) x H -> read() -> flat parameters
//
// Parameters cross as one flat f32 vector in the order of outer's parameterTable(); the engine keeps its own layout inside.
import type { Codec } from "#outer";
import type { LoraShape, ModelShape } from "#wire";
import type { OpenColdStore } from "./cold-moments.ts";
import type { ConformanceReport } from "./conformance/index.ts";
import type { TuningStore } from "./tuning/record.ts";
import type { TuningReport } from "./tuning/tuner.ts";

/** What runs the kernels: a GPU; a software adapter that poses as one (isFallback); the CPU through WASM (isFallback too). The page repeats it. */
export interface AdapterDescription {
  readonly backend: "webgpu" | "wasm";
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly isFallback: boolean;
}

/** AdamW, decoupled weight decay on matrices only (never on norm weights); the gradient is clipped by its global norm first. */
export interface StepOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
}

export interface StepReport {
  readonly loss: number; //     mean cross-entropy over all tokens of the step, nats
  readonly gradNorm: number; // global L2 norm before clipping, of the loss as it is, not as it was scaled
  /** Mixed precision: a number was too large for f16, so nothing was changed; loss and norm may be no numbers then. Rare, and no error. */
  readonly skipped: boolean;
}

/** How both of AdamW's moments are kept: 8 bytes a parameter, or 2.25 (8 bits and a shared scale). What that does to learning: docs/MEASUREMENTS.md. */
export type Moments = "f32" | "8bit";

/**
 * How activations, their gradients and the weights that products read lie in memory: 4 bytes or 2. Sums, parameters, their gradient, moments, the
 * norms' statistics and the loss are f32 in both. What that does to learning: docs/MEASUREMENTS.md.
 */
export type Precision = "f32" | "f16";

export interface EngineOptions {
  readonly model: ModelShape;
  /** Sequences per microbatch (B): what one forward and backward pass holds in memory. */
  readonly microbatch: number;
  /**
   * Activations that are not kept: the backward pass computes those of the first so many layers again, from the layer's input. The same
   * gradients, bit for bit (in f16 to rounding: a compiler may go on with a sum that is more exact than what it stored), for 15 to 20 % more time with all of them. 0 to L - 1; default: the fewest with which memoryBytes suffices, else 0.
   */
  readonly recomputedLayers?: number;
  /** Default: f32. */
  readonly moments?: Moments;
  /**
   * The moments lie in a store that this opens, and come in blocks at the end of each step, with the same bits: where memory is short ("webgpu" only; default: no).
   * The engine closes it. Where it cannot be opened, ModelTooLargeError; where it fails later, the engine is lost (`lost`, reason COLD_LOST).
   */
  readonly cold?: OpenColdStore | undefined;
  /**
   * The mark lies on the device too, 4 bytes a parameter, and updates are made there (`Engine.mark`): only they cross, instead of all parameters
   * at each offer and seal. "webgpu" only; default: no.
   */
  readonly keepsMark?: boolean;
  /** Of the updates that are made on the device; default: int8 blocks. Error feedback takes another 4 bytes a parameter. */
  readonly codec?: Codec | undefined;
  /** Default: f32. f16 (mixed precision) needs an adapter with shader-f16. */
  readonly precision?: Precision;
  /**
   * Adapters of low rank are trained beside weights that stay: what is loaded, read, stepped and the gradient are the adapters', flat in the order
   * of outer's adapterTable(); the weights come by loadBase(). Without keepsMark and in f32 alone. Default: all parameters are trained.
   */
  readonly lora?: LoraShape | undefined;
  /** How much of the device's memory it may take in all; default: what the device gives. */
  readonly memoryBytes?: number;
  /** Default: "webgpu". "wasm" trains on the CPU, in threads of its own; of the other options it heeds threads and memoryBytes. */
  readonly backend?: AdapterDescription["backend"];
  /** "wasm" only; default: by the machine's cores, and 1 where threads may not share memory. */
  readonly threads?: number;
  readonly adapter?: GPUAdapter; // default: navigator.gpu.requestAdapter()
  /** Ask for WebGPU's default limits instead of the adapter's (tests). */
  readonly defaultLimits?: boolean;
}

/**
 * Where an engine keeps the mark: outer's rule of the mark and of error feedback (replica.ts) on the device. Everything takes its turn among the
 * steps that were queued. Rejects as step() does.
 */
export interface Mark {
  /** mark = what is given, and nothing is owed; the parameters stay. */
  set(mark: Float32Array): void;
  /** Encodes mark − parameters, with what error feedback adds; then mark = parameters. RangeError when the training diverged: then the mark stays. */
  offer(): Promise<MadeOffer>;
  /** The offer does not count: mark = what it was before it. */
  withdraw(before: Float32Array): void;
  /**
   * The round was sealed, and counts the offer unless it was withdrawn. parameters = anchor + (parameters − mark), exactly the anchor where nothing was
   * trained since the mark; then mark = anchor.
   * @param anchor not copied
   * @returns when it `carries`, what is unsent then. RangeError as above, after the same change.
   */
  sealed(anchor: Float32Array, given: { readonly carries: boolean }): Promise<Uint8Array | undefined>;
}

export interface MadeOffer {
  /** As the codec reads it. */
  readonly body: Uint8Array;
  /** What the body was made of: all that the anchor does not have yet and a lost device would take with it. int8 blocks, whatever the codec. */
  readonly unsent: Uint8Array;
}

export interface Gradient {
  readonly loss: number; // as a step's
  /** What step() would clip and apply: the mean over all tokens, flat as parameters are. */
  readonly gradient: Float32Array;
}

export interface Engine {
  readonly adapter: AdapterDescription;
  readonly model: ModelShape;
  readonly microbatch: number;
  /** Bytes of the device's memory that this engine holds at its most: while parameters or an update are read. */
  readonly allocatedBytes: number;
  /** Of its moments, those that lie outside of the device; absent or 0: none. */
  readonly coldBytes?: number;
  /** Undefined unless it was asked to keep it. */
  readonly mark?: Mark | undefined;
  /** Replaces the parameters (flat vector), or the adapters; moments and their step count stay. */
  load(parameters: Float32Array): void;
  /**
   * Of an engine with adapters: replaces the weights beside them, zero until then. They never come back.
   * @param parameters the whole model's, flat; not copied: they stay as they are until what is asked next is answered
   */
  loadBase?(parameters: Float32Array): void;
  /** Zeroes both moments and restarts their bias correction. */
  resetMoments(): void;
  /**
   * One inner step: gradients accumulated over the microbatches (each B sequences of T+1 ids, row-major: inputs are ids[0..T), targets ids[1..T]),
   * averaged over all tokens, clipped, applied. Work is queued at once; the promise resolves when the loss is read, and a caller may queue
   * the next step before (at most two in flight: a third call waits). Rejects with DeviceLostError, GpuError, DivergedError.
   */
  step(microbatches: readonly Uint16Array[], options: StepOptions): Promise<StepReport>;
  /**
   * The gradient alone; parameters and moments stay. Behind all that was queued before, and alone: all of it crosses. Refuses what step() refuses.
   * In mixed precision the loss is scaled as it stands, and the scale stays.
   */
  gradient(microbatches: readonly Uint16Array[]): Promise<Gradient>;
  /** Mean loss in nats per token over the windows (each T+1 ids), without touching gradients or moments. */
  evaluate(windows: readonly Uint16Array[]): Promise<number>;
  /** The parameters after every queued step. */
  read(): Promise<Float32Array>;
  /** Every kernel on this device against the CPU reference, as compiled for this engine: a fraction of a second. Rejects as step() does. */
  conformance(): Promise<ConformanceReport>;
  /**
   * Looks for faster cuts of the kernels beside coming steps, or finds them in the store, and takes them between two. Never rejects; ends with the
   * engine. Absent where there is one cut alone.
   */
  tune?(store: TuningStore): Promise<TuningReport>;
  /** Resolves when the device is lost, with the reason; never rejects. */
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  destroy(): void;
}
