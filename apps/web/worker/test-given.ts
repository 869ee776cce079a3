// What the worker's tests share: a spec of a few hundred parameters, and an engine whose steps the test decides.
import type { ConformanceReport, Engine, Gradient, Mark, StepReport } from "#engine";
import { int8Block, rebase } from "#outer";
import { type PeerId, presets, type RunSpec, specSchema } from "#wire";

const hash = "e".repeat(64);
export const peerOf = (digit: string): PeerId => `${digit.repeat(64)}00`;

const { corpus: _, ...draft } = presets.nano;
export const spec: RunSpec = specSchema.parse({
  ...draft,
  seed: 5,
  model: { ...draft.model, vocabSize: 8, dModel: 8, layers: 1, dFfn: 8, contextLength: 4 },
  inner: {
    ...draft.inner,
    steps: 4,
    windowsPerStep: 4,
    learningRate: 0.1,
    learningRateMin: 0.1,
    warmupTokens: 0,
    decayTokens: 0,
    beta2: 0.9,
    weightDecay: 0,
  },
  outer: { ...draft.outer, learningRate: 1, momentum: 0, clipToMedianNorm: false },
  rounds: { quorum: 1, maxContributors: 8, deadlineMinMs: 500, deadlineMaxMs: 500 },
  data: {
    source: "test",
    licence: "CC0-1.0",
    tokenizer: "bytes",
    train: [{ hash, bytes: 1, tokens: 1 }],
    evaluation: [{ hash, bytes: 1, tokens: 1 }],
  },
  evaluation: { everyRounds: 1, windows: 2 },
  checkpoint: { everyRounds: 1, retain: "all" },
  end: {},
  hostKey: "f".repeat(64),
});

/** An engine whose step adds `by` to every parameter, and ends when the test says so (or at once). */
export class FakeEngine implements Engine {
  readonly adapter = {
    backend: "webgpu",
    vendor: "",
    architecture: "",
    description: "fake",
    isFallback: true,
  } as const;
  readonly model = spec.model;
  readonly microbatch: number;
  readonly allocatedBytes = 0;
  readonly lost = new Promise<never>(() => {});
  parameters: Float32Array = new Float32Array(0);
  by = 0.01;
  steps = 0;
  moments = "kept";
  /** Steps begun before each time that the moments were zeroed. */
  readonly resetAt: number[] = [];
  rates: number[] = [];
  inFlight = 0;
  inFlightMost = 0;
  evaluated: Float32Array[] = [];
  /** Set: steps wait for their turn in here. */
  held: (() => void)[] | undefined;
  failure: Error | undefined;
  /** Windows of each step. */
  readonly rows: number[] = [];
  onStep = (_windows: number): void => {};
  /** Whether a step, counted from 1, has a gradient that is not finite. */
  skips = (_step: number): boolean => false;
  onEvaluate = (): void => {};
  private readonly waiting: (() => unknown)[] = [];
  private busy = false;

  /** How often all parameters were read. */
  reads = 0;
  readonly mark: Mark | undefined;

  async conformance(): Promise<ConformanceReport> {
    return { version: 1, adapter: this.adapter, checks: 1, failed: [], ms: 0 };
  }

  constructor(microbatch = 2, keepsMark = false) {
    this.microbatch = microbatch;
    this.mark = keepsMark ? this.markOnDevice() : undefined;
  }

  private markOnDevice(): Mark {
    let mark: Float32Array = new Float32Array(0);
    const body = () => {
      if (this.failure) throw this.failure;
      return int8Block(mark.length, 256).encode(mark.map((value, i) => value - this.parameters[i]));
    };
    return {
      set: (values) => {
        const own = values.slice();
        void this.inOrder(() => {
          mark = own;
        });
      },
      offer: () =>
        this.inOrder(() => {
          const made = body();
          mark = this.parameters.slice();
          return { body: made, unsent: made };
        }),
      withdraw: (before) => {
        const own = before.slice();
        void this.inOrder(() => {
          mark = own;
        });
      },
      sealed: (anchor, { carries }) =>
        this.inOrder(() => {
          const made = carries ? body() : undefined;
          this.parameters = rebase(this.parameters.slice(), anchor, mark);
          mark = anchor.slice();
          return made;
        }),
    };
  }

  load(parameters: Float32Array): void {
    const own = parameters.slice();
    void this.inOrder(() => {
      this.parameters = own;
    });
  }
  resetMoments(): void {
    this.moments = "reset";
    this.resetAt.push(this.rows.length);
  }
  async step(microbatches: readonly Uint16Array[], { learningRate }: { learningRate: number }): Promise<StepReport> {
    if (microbatches.some(({ length }) => length !== this.microbatch * 5))
      throw new Error(`microbatches of ${this.microbatch} windows`);
    const windows = microbatches.length * this.microbatch;
    this.rows.push(windows);
    this.rates.push(learningRate);
    this.inFlightMost = Math.max(this.inFlightMost, ++this.inFlight);
    const held = this.held && new Promise<void>((resolve) => this.held?.push(resolve));
    const end = () => {
      this.inFlight--;
      if (this.failure) throw this.failure;
      this.onStep(windows);
      this.parameters = this.parameters.map((value) => value + this.by);
      const skipped = this.skips(++this.steps);
      return { loss: skipped ? Number.NaN : 1 + this.steps, gradNorm: 1, skipped };
    };
    return this.inOrder(held ? () => held.then(end) : end);
  }
  /** -by everywhere: what a step would go along. It takes a step's time. */
  async gradient(microbatches: readonly Uint16Array[]): Promise<Gradient> {
    this.rows.push(microbatches.length * this.microbatch);
    const windows = microbatches.length * this.microbatch;
    return this.inOrder(() => {
      if (this.failure) throw this.failure;
      this.onStep(windows);
      return { loss: 1 + ++this.steps, gradient: new Float32Array(this.parameters.length).fill(-this.by) };
    });
  }
  async evaluate(windows: readonly Uint16Array[]): Promise<number> {
    return this.inOrder(() => {
      this.evaluated.push(this.parameters);
      this.onEvaluate();
      return windows.length;
    });
  }
  async read(): Promise<Float32Array> {
    return this.inOrder(() => {
      if (this.failure) throw this.failure;
      this.reads++;
      return this.parameters.slice();
    });
  }
  destroy(): void {}

  /** As a device's queue: each thing sees what was asked for before it. At once when nothing runs. */
  private inOrder<T>(work: () => T | Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.push(() => {
        try {
          const result = work();
          if (!(result instanceof Promise)) return void resolve(result);
          return result.then(resolve, reject);
        } catch (error) {
          return void reject(error);
        }
      });
      if (!this.busy) this.run();
    });
  }

  private run(): void {
    this.busy = true;
    for (let work = this.waiting.shift(); work; work = this.waiting.shift()) {
      const running = work();
      if (running instanceof Promise) return void running.then(() => this.run());
    }
    this.busy = false;
  }
}
